"""The commands: one file for each subject, one table of all of them. They know nothing of python-telegram-bot.

`table.COMMANDS` is what the bot understands; help, the menu and did-you-mean are made from it.
"""
