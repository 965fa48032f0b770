"""Things a task waits for."""
