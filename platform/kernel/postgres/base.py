"""The database backend that settings name. See the package."""

import select
import socket
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool, PoolTimeout

BUSY_WAIT_S = 5.0  # for a connection of a pool that is busy; one whose server is away is given up much sooner
PROBE_S = 0.2


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
    """As Django's, with the check above, and two patiences: a short one (the pool's timeout) when nobody listens at
    the server's address, a longer one when the pool is only busy."""

    @property
    def pool(self) -> Any:
        pool = super().pool
        if pool is not None:
            pool._check = check_connection
        return pool

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        give_up_at = time.monotonic() + BUSY_WAIT_S
        while True:
            try:
                return super().get_new_connection(conn_params)
            except PoolTimeout:
                if time.monotonic() > give_up_at or not self._is_somebody_there():
                    raise

    def _is_somebody_there(self) -> bool:
        if self.settings_dict["HOST"].startswith("/"):  # a socket in the file system: no cheap way to ask
            return True
        address = (self.settings_dict["HOST"], int(self.settings_dict["PORT"] or 5432))
        try:
            socket.create_connection(address, timeout=PROBE_S).close()
        except OSError:
            return False
        return True
