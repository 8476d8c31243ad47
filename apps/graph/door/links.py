"""The drivers of a process: one that may only read, one that writes. Lives on the loop (loop.py)."""

import asyncio
import atexit
import os
from collections.abc import Mapping
from concurrent import futures
from dataclasses import dataclass
from typing import Any, Literal

import neo4j
import structlog
from django.conf import settings
from neo4j.exceptions import DriverError, Neo4jError

from apps.graph.door import loop
from apps.graph.engines import choice
from apps.graph.engines.dialect import Dialect

log = structlog.get_logger("graph")
Role = Literal["reader", "writer"]
CLOSE_S = 2.0
SPARE_CONNECTIONS = 4  # for ending what the others run


@dataclass(frozen=True, slots=True)
class Links:
    """``dialect``: what the server speaks. ``agent`` and ``bolt``: what it says of itself."""

    drivers: Mapping[Role, neo4j.AsyncDriver]
    dialect: Dialect
    agent: str
    bolt: str

    def session(self, role: Role, **options: Any) -> neo4j.AsyncSession:
        """A session of the reader's or the writer's. The reader's transactions say that they read."""
        mode = neo4j.READ_ACCESS if role == "reader" else neo4j.WRITE_ACCESS
        return self.drivers[role].session(default_access_mode=mode, **options)


class ReaderMissing(Exception):
    """The server would let readers write, and there is no user who may only read."""


_links: dict[int, Links] = {}
_connecting: dict[int, "asyncio.Task[Links]"] = {}
_closing: set["asyncio.Task[None]"] = set()


async def links() -> Links:
    """The process's drivers, connected. Raises what the driver raises, or TimeoutError, when nobody is there.

    However many ask at once, one connects.
    """
    process = os.getpid()
    if process in _links:
        return _links[process]
    if process not in _connecting:
        task = asyncio.ensure_future(asyncio.wait_for(_connect(), settings.GRAPH_CONNECT_S))
        _connecting[process] = task
        task.add_done_callback(_connected)
    return await asyncio.shield(_connecting[process])


def known() -> Links | None:
    """The process's drivers if they are connected."""
    return _links.get(os.getpid())


def _connected(task: "asyncio.Task[Links]") -> None:
    _connecting.pop(os.getpid(), None)
    if not task.cancelled() and task.exception() is None:
        _links[os.getpid()] = task.result()


def forget() -> None:
    """Let go of every connection, in the background: the next call makes new ones."""
    known = _links.pop(os.getpid(), None)
    if known is not None:
        task = asyncio.ensure_future(_close(known.drivers))
        _closing.add(task)
        task.add_done_callback(_closing.discard)


def close() -> None:
    """Say goodbye to the server; for the end of the process."""
    if os.getpid() in _links:
        drivers = _links.pop(os.getpid()).drivers
        futures.wait([loop.submit(_close(drivers))], timeout=CLOSE_S)


async def _connect() -> Links:
    drivers: dict[Role, neo4j.AsyncDriver] = {
        "reader": _driver(settings.GRAPH_READER_AUTH if settings.GRAPH_READER_AUTH[0] else settings.GRAPH_AUTH),
        "writer": _driver(settings.GRAPH_AUTH),
    }
    try:
        server = await drivers["reader"].get_server_info()
        dialect = choice.by_agent(server.agent) or choice.by_components(await _components(drivers["reader"]))
        if not dialect.keeps_readers_from_writing and settings.GRAPH_READER_AUTH[0] in ("", settings.GRAPH_AUTH[0]):
            raise ReaderMissing(dialect.name)
    except BaseException:
        task = asyncio.ensure_future(_close(drivers))
        _closing.add(task)
        task.add_done_callback(_closing.discard)
        raise
    bolt = ".".join(str(part) for part in server.protocol_version)
    log.info("graph_connected", engine=dialect.name, agent=server.agent, bolt=bolt)
    return Links(drivers, dialect, server.agent, bolt)


def _driver(auth: tuple[str, str]) -> neo4j.AsyncDriver:
    return neo4j.AsyncGraphDatabase.driver(
        settings.GRAPH_URL,
        auth=auth if auth[0] else None,
        connection_timeout=settings.GRAPH_CONNECT_S,
        connection_acquisition_timeout=settings.GRAPH_CONNECT_S,
        max_connection_pool_size=settings.GRAPH_AT_ONCE + SPARE_CONNECTIONS,
        liveness_check_timeout=5,
        keep_alive=True,
        notifications_min_severity="OFF",
        telemetry_disabled=True,
    )


async def _components(driver: neo4j.AsyncDriver) -> list[str] | None:
    async with driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        try:
            result = await session.run(choice.WHO_ARE_YOU)
            return [str(record["name"]) async for record in result]
        except Neo4jError:
            return None


async def _close(drivers: Mapping[Role, neo4j.AsyncDriver]) -> None:
    for driver in drivers.values():
        try:
            await asyncio.wait_for(driver.close(), CLOSE_S)
        except (DriverError, Neo4jError, OSError, TimeoutError) as error:
            log.debug("graph_close_failed", error=type(error).__name__)


atexit.register(close)
