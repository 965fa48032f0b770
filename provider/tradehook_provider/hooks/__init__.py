"""Connections, opened."""
