"""One folder for each exchange. They know neither each other nor sockets."""
