"""A call of the graph from a caller's thread: a slot, a limit of time that ends the query on the server, one outcome.

Whatever happens, a caller is answered within its timeout and ENDING_S.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent import futures
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

import structlog
from django.conf import settings

from apps.graph import errors
from apps.graph.door import failures, links, loop
from apps.graph.door.ending import end_on_server
from apps.graph.door.links import Links, Role
from apps.graph.door.standing import Standing, Turn, away
from kernel import metrics
from kernel.errors import PlatformError

log = structlog.get_logger("graph")
T = TypeVar("T")
POLL_S = 0.1  # how often the caller is asked whether it still wants the answer
GRACE_S = 0.4  # for a query that was ended to say so
ENDING_ROUNDS = 2
ENDING_S = 6.0

standing = Standing(
    at_once=settings.GRAPH_AT_ONCE, slot_wait_s=settings.GRAPH_SLOT_WAIT_S, away_s=settings.GRAPH_AWAY_S
)


@dataclass(slots=True)
class Ticket:
    """One call. ``mark`` is in its text, in its transaction's metadata and in the log."""

    kind: str
    role: Role
    timeout_s: float
    mark: str = field(default_factory=lambda: f"mark:{uuid4().hex}")
    stopped: asyncio.Event = field(default_factory=asyncio.Event)


def call(
    ticket: Ticket, work: Callable[[Links], Awaitable[T]], *, cancelled: Callable[[], bool] | None = None
) -> tuple[T, float]:
    """The answer of ``work`` and its milliseconds. PlatformErrors only; ``cancelled`` is asked while waiting."""
    began, outcome = time.monotonic(), "ok"
    try:
        with standing.turn() as turn:
            future = loop.submit(_guarded(ticket, turn, work))
            answer = _wait(future, ticket, cancelled)
    except PlatformError as error:
        outcome = error.code
        raise
    finally:
        metrics.GRAPH_DURATION.labels(ticket.kind, outcome).observe(time.monotonic() - began)
    return answer, round((time.monotonic() - began) * 1000, 2)


def _wait(future: "futures.Future[T]", ticket: Ticket, cancelled: Callable[[], bool] | None) -> T:
    give_up_at = time.monotonic() + settings.GRAPH_CONNECT_S + ticket.timeout_s + ENDING_S
    while not future.done() and time.monotonic() < give_up_at:
        futures.wait([future], timeout=POLL_S if cancelled else give_up_at - time.monotonic())
        if cancelled is not None and not future.done() and cancelled():
            loop.event_loop().call_soon_threadsafe(ticket.stopped.set)
            cancelled = None
    if not future.done():
        future.cancel()
        log.error("graph_call_stuck", mark=ticket.mark, kind=ticket.kind)
        raise away(1.0)
    return future.result()


async def _guarded(ticket: Ticket, turn: Turn, work: Callable[[Links], Awaitable[T]]) -> T:
    known: Links | None = None
    try:
        if turn is Turn.TRY:
            links.forget()
        known = await links.links()
        try:
            answer = await _in_time(ticket, known, work)
        except failures.HUNG_UP as error:  # a connection from before a restart, most likely
            if ticket.role == "writer":
                raise
            log.info("graph_hung_up", mark=ticket.mark, error=type(error).__name__)
            links.forget()
            known = await links.links()
            answer = await _in_time(ticket, known, work)
    except failures.SILENT as error:
        standing.was_silent()
        links.forget()
        if ticket.kind == "write" and known is not None:
            raise failures.outcome_unknown(ticket.mark) from None
        raise failures.platform_error(error, None, ticket.mark) from None
    except errors.GraphUnavailableError:
        standing.was_silent()
        links.forget()
        raise
    except failures.SAID as error:
        standing.answered()
        raise failures.platform_error(error, known.dialect if known else None, ticket.mark) from None
    standing.answered()
    return answer


async def _in_time(ticket: Ticket, known: Links, work: Callable[[Links], Awaitable[T]]) -> T:
    """``work``, or its end on the server when its time is up or nobody wants it any more."""
    task = asyncio.ensure_future(work(known))
    stop = asyncio.ensure_future(ticket.stopped.wait())
    try:
        await asyncio.wait({task, stop}, timeout=ticket.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        reason = "cancelled" if stop.done() else "timeout"
        is_there, is_ended = await _end(ticket, known, task)
    finally:
        stop.cancel()
        task.cancel()
    metrics.GRAPH_TERMINATED.labels(reason if is_ended else "in_vain").inc()
    log.warning("graph_query_ended" if is_ended else "graph_query_not_ended", mark=ticket.mark, reason=reason)
    if not is_there:
        raise away(settings.GRAPH_AWAY_S)
    if reason == "cancelled":
        raise errors.QueryCancelledError("The query was cancelled and ended.")
    raise errors.QueryTimeoutError(
        f"The query took longer than {ticket.timeout_s:g} s and was ended. Ask for less: name labels, filter earlier, "
        "fewer hops."
    )


async def _end(ticket: Ticket, known: Links, task: "asyncio.Future[T]") -> tuple[bool, bool]:
    """End ``task`` on the server, and here in any case. Whether the server answered, and whether the query ended: an
    engine may not look up from a long piece of work, as ArcadeDB does not inside one expression."""
    is_there = True
    for _ in range(ENDING_ROUNDS):
        is_there = await end_on_server(known, ticket.role, ticket.mark)
        await asyncio.wait({task}, timeout=GRACE_S)
        if task.done() or not is_there:
            break
    is_ended = task.done()
    if not is_ended:
        task.cancel()  # hangs up
        await asyncio.wait({task}, timeout=GRACE_S)
    if task.done() and not task.cancelled():
        task.exception()  # expected; taken, so that nobody warns of it
    return is_there, is_ended
