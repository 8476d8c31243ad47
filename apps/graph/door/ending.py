"""Ending a query on the server: it is found by its mark among what runs, and terminated."""

import asyncio

import structlog
from neo4j.exceptions import DriverError, Neo4jError

from apps.graph.door.links import Links, Role

log = structlog.get_logger("graph")
LIMIT_S = 1.0


async def end_on_server(links: Links, role: Role, mark: str) -> bool:
    """End what carries ``mark``. False when the server did not answer in time; True also when nothing was found."""
    try:
        await asyncio.wait_for(_end(links, role, mark), LIMIT_S)
    except (DriverError, Neo4jError, OSError, TimeoutError) as error:
        log.warning("graph_termination_failed", mark=mark, error=type(error).__name__)
        return isinstance(error, Neo4jError)
    return True


async def _end(links: Links, role: Role, mark: str) -> None:
    async with links.session(role) as session:
        running = await (await session.run(links.dialect.list_running)).data()
        for row in running:
            transaction_id = links.dialect.running_id(row, mark)
            if transaction_id is not None:
                await (await session.run(links.dialect.terminate(transaction_id))).consume()
