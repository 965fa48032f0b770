"""The Airflow provider: thin names for what `tradehook` does. Knows Airflow; Telegram never comes in here."""
