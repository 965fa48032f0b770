"""The Telegram bot: quotes, orders and balances in a private chat, each trade behind a confirmation.

Works without Airflow. Knows exchanges only through `tradehook`, and moves money only through its desk.
"""
