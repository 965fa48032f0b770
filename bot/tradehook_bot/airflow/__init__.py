"""Airflow in chat: what waits for a person there, and starting runs. Speaks Airflow's REST API and imports none of it.

The bot works without: where no address is set, none of this runs.
"""
