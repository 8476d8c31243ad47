"""What is said to the server, one coroutine a kind of call. They run on the loop, under the guard of calls.py."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import neo4j
from neo4j.exceptions import Neo4jError

from apps.graph.door.failures import failure_of
from apps.graph.door.links import Links
from apps.graph.door.values import ForeignData, TenantWalk
from apps.graph.engines.dialect import Failure
from apps.graph.errors import QueryTooLargeError
from apps.graph.results import Counters, Plan, Rows, Written

FETCH_ROWS = 500
SERVER_TIMEOUT_MARGIN_S = 1.0  # the door ends a query first; the server's own clock is for a door that died
ONE_ROW_MAY = 4  # times as much as all together
CONTENTION_TRIES = 12
FIRST_PAUSE_S = 0.01
LONGEST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """One statement. ``mark`` finds it among what runs; ``timeout_s`` is told to servers that obey."""

    text: str
    parameters: Mapping[str, Any]
    mark: str
    timeout_s: float
    tenant_id: str | None = None
    row_limit: int = 0
    byte_limit: int = 0

    def marked(self) -> str:
        return f"/* {self.mark} */ {self.text}"


async def read(links: Links, asked: Asked) -> Rows:
    """Rows, never more than the limit: what is beyond it is not fetched."""
    walk = TenantWalk(asked.tenant_id)
    fetch_size = min(asked.row_limit + 2, FETCH_ROWS)  # so that a LIMIT of one more than wanted is seen to be the end
    async with links.session("reader", fetch_size=fetch_size) as session:
        transaction = await _begin(session, asked)
        result = await transaction.run(asked.marked(), dict(asked.parameters))
        columns = tuple(result.keys())
        try:
            rows, truncated = await _take(result, walk, asked)
        except (ForeignData, QueryTooLargeError):
            session.cancel()
            raise
        if truncated and await anext(aiter(result), None) is not None:
            session.cancel()  # asked to discard the rest, ArcadeDB would work all of it out first
        else:
            await transaction.commit()
    await _learn_ends(links, walk)
    return Rows(columns, rows, truncated, nodes=walk.shown_nodes(), edges=list(walk.edges.values()))


async def write(links: Links, asked: Asked, *, commit: bool) -> Written:
    """A change, all of it or nothing. What met another change is tried again, MERGE once where another was first."""
    may_merge = "MERGE" in asked.text.upper()
    for attempt in range(1, CONTENTION_TRIES + 1):
        try:
            return await _write_once(links, asked, commit=commit)
        except Neo4jError as error:
            meant = failure_of(error, links.dialect)
            lost_race = meant is Failure.CONSTRAINT and may_merge
            if attempt == CONTENTION_TRIES or not (meant is Failure.CONTENTION or lost_race):
                raise
            may_merge = may_merge and not lost_race
            pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt)
            await asyncio.sleep(pause_s * (0.5 + random.random()))
    raise AssertionError("the loop returns or raises")


async def explain(links: Links, asked: Asked) -> Plan:
    """How the server would run a query."""
    async with links.session("reader") as session:
        transaction = await _begin(session, asked)
        result = await transaction.run(f"EXPLAIN {asked.marked()}", dict(asked.parameters))
        rows = await result.data()
        summary = await result.consume()
        await transaction.rollback()
    return Plan(links.dialect.name, links.dialect.plan(rows, summary.plan))


async def define(links: Links, asked: Asked) -> bool:
    """A statement about the schema, outside of a transaction: Memgraph wants it so. False: it was run before."""
    async with links.session("writer") as session:
        try:
            result = await session.run(asked.text)
            await result.consume()
        except Neo4jError as error:
            if links.dialect.is_there_already(str(error.code), str(error.message)):
                return False
            raise
    return True


async def listed(links: Links, text: str) -> list[dict[str, Any]]:
    """The rows of a statement that lists what the server has laid; outside of a transaction."""
    async with links.session("writer") as session:
        return await (await session.run(text)).data()


async def _write_once(links: Links, asked: Asked, *, commit: bool) -> Written:
    walk = TenantWalk(asked.tenant_id)
    async with links.session("writer") as session:
        transaction = await _begin(session, asked)
        result = await transaction.run(asked.marked(), dict(asked.parameters))
        columns = tuple(result.keys())
        rows, truncated = await _take(result, walk, asked)
        summary = await result.consume()
        ends = walk.ends_unknown()
        if ends:
            found = await transaction.run(links.dialect.endpoints, {"ids": ends})
            walk.learn_ends({row["element_id"]: (row["uid"], row["tenant_id"]) async for row in found})
        else:
            walk.learn_ends({})
        await (transaction.commit() if commit else transaction.rollback())
    answer = Rows(columns, rows, truncated, nodes=walk.shown_nodes(), edges=list(walk.edges.values()))
    counted = {name: getattr(summary.counters, name) for name in Counters.__dataclass_fields__}
    return Written(Counters(**counted), answer)


async def _begin(session: neo4j.AsyncSession, asked: Asked) -> neo4j.AsyncTransaction:
    return await session.begin_transaction(
        metadata={"mark": asked.mark}, timeout=asked.timeout_s + SERVER_TIMEOUT_MARGIN_S
    )


async def _take(result: neo4j.AsyncResult, walk: TenantWalk, asked: Asked) -> tuple[list[list[Any]], bool]:
    """Rows up to the limits, and whether there were more. One row may be larger than all may together."""
    rows: list[list[Any]] = []
    async for record in result:
        if len(rows) >= asked.row_limit or (rows and walk.size_bytes > asked.byte_limit):
            return rows, True
        rows.append([walk.to_json(value) for value in record.values()])
        if walk.size_bytes > ONE_ROW_MAY * asked.byte_limit:
            raise QueryTooLargeError("One row of the answer is too large. Collect fewer values in it.")
    return rows, False


async def _learn_ends(links: Links, walk: TenantWalk) -> None:
    """Bolt says of a relationship alone only the inner ids of its ends; ask for the uids."""
    unknown = walk.ends_unknown()
    found: dict[str, tuple[str, str | None]] = {}
    if unknown:
        async with links.session("reader") as session:
            result = await session.run(links.dialect.endpoints, {"ids": unknown})
            found = {row["element_id"]: (row["uid"], row["tenant_id"]) async for row in result}
    walk.learn_ends(found)
