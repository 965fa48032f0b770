"""The only place that opens sockets: the blocking and the asyncio line, both over httpx."""
