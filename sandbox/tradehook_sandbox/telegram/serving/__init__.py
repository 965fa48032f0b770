"""The world over HTTP: requests read, calls made, long polls held. Starlette stays in here."""
