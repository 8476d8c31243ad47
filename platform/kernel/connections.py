"""Django's connections to PostgreSQL, one for each thread and alias, in threads that no request ends.

A thread that keeps its connections while it waits, or when its work is done, takes them away from all others: the pools
are small.
"""

from django.db import connections


def give_back() -> None:
    """Return this thread's connections to their pools; those in a transaction stay."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
