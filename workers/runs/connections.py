"""Connections of cineca_engine for the moments in which a run is claimed and moved on: few, kept, not waited for long.

psycopg's own pool waits longer and longer between two tries to connect; here whoever needs a connection asks at once.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from apps.agents.runs.ledger import Connection
from kernel import engine_db

WAIT_S = 5.0


class Connections:
    """At most ``limit`` at once; the one used last is used next. An error closes the connection it came by."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self._room = threading.BoundedSemaphore(limit)
        self._idle: list[Connection] = []
        self._lock = threading.Lock()

    @contextmanager
    def take(self) -> Iterator[Connection]:
        """A connection in autocommit. psycopg.OperationalError when the server is away or all are busy for too long."""
        if not self._room.acquire(timeout=WAIT_S):
            raise psycopg.OperationalError(f"no connection free within {WAIT_S} s")
        try:
            connection = self._pop()
            try:
                yield connection
            except BaseException as error:
                if isinstance(error, psycopg.DataError | psycopg.IntegrityError) and not connection.closed:
                    self._push(connection)
                else:
                    connection.close()
                raise
            self._push(connection)
        finally:
            self._room.release()

    def close(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _pop(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return engine_db.connect(self.name, connect_timeout=2)

    def _push(self, connection: Connection) -> None:
        with self._lock:
            self._idle.append(connection)
