"""Celery: one app, its queues, its schedule, and the engine that runs jobs.

By hand: ``PYTHONPATH=platform celery -A workers worker --hostname worker-1@%h`` (see README.md).
"""
