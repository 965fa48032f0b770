"""A stand-in for Telegram's Bot API: one bot's private chats, on this machine, with no account and no network.

`world` holds what Telegram would know and does no I/O; `server.routes()` serves it; `chat.main()` and `driver.Person`
are the person on the other side. Nothing here knows an exchange, and nothing imports python-telegram-bot.
"""
