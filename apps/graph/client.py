"""The one door to the graph: Bolt, through the neo4j driver. Every call has a bound."""

from functools import cache
from typing import Any

import neo4j
from django.conf import settings
from neo4j.exceptions import DriverError, Neo4jError

from kernel.errors import UnavailableError

CONNECT_S = 2.0


@cache
def _reader() -> neo4j.Driver:
    """The driver that may only read. Connects on first use."""
    return neo4j.GraphDatabase.driver(
        settings.GRAPH_URL,
        auth=settings.GRAPH_READER_AUTH if settings.GRAPH_READER_AUTH[0] else None,
        connection_timeout=CONNECT_S,
        connection_acquisition_timeout=CONNECT_S,
        max_transaction_retry_time=0,
        max_connection_pool_size=8,
        liveness_check_timeout=5,
    )


def ping() -> dict[str, Any]:
    """Ask the server who it is and for one row. UnavailableError when it does not answer."""
    try:
        with _reader().session(default_access_mode=neo4j.READ_ACCESS) as session:
            result = session.run("RETURN 1 AS one")
            summary = result.consume()
    except (DriverError, Neo4jError) as error:
        raise UnavailableError("The graph does not answer.", code="graph_unavailable") from error
    server = summary.server
    return {"agent": server.agent, "bolt": ".".join(str(part) for part in server.protocol_version)}
