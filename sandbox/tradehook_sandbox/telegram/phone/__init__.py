"""The person's telephone: the client of `/_sandbox/telegram/` and what a terminal makes of it."""
