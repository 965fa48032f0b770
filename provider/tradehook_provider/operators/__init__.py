"""Things a task does."""
