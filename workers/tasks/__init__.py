"""Celery tasks: thin, by name, safe to run twice."""
