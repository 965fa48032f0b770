"""What a message may hold, checked the way Telegram checks it: texts and their entities, keyboards, pictures."""
