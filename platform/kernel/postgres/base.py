"""The database backend that settings name. See the package."""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


def check_connection(connection: psycopg.Connection[Any]) -> None:
    """Raise OperationalError for a pooled connection that was closed while it lay idle.

    Nothing is expected on an idle connection, so a readable socket means that the server closed it, or said something;
    only then is a question to the server worth its round trip. Django's own check asks every time.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        ConnectionPool.check_connection(connection)


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's, with the check above."""

    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None:
            pool._check = check_connection
        return pool
