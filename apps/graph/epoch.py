"""Whether this is still the graph that was seen last (security F25).

The graph holds one node ``(:GraphEpoch {epoch, beat})`` of no tenant's; PostgreSQL remembers both. ``beat`` follows the
changes, graph first, at most every ADVANCE_EVERY_S seconds a process: a graph whose beat is behind what is remembered
was restored from an older copy, and a graph without the node was emptied. A copy that lacks only the last two seconds
of changes goes unnoticed.
"""

import threading
import time
from dataclasses import dataclass
from typing import Literal
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from apps.graph.door import transactions
from apps.graph.door.calls import Ticket, call
from apps.graph.door.transactions import Asked
from apps.graph.errors import GraphStaleError
from kernel import engine_db
from kernel.clock import now

log = structlog.get_logger("graph")
LABEL = "GraphEpoch"
UID_OF_NODE = "graph-epoch"
ADVANCE_EVERY_S = 2.0
CALL_S = 2.0
Verdict = Literal["", "older", "emptied", "other"]

_FIND = f"MATCH (e:{LABEL} {{uid: $uid}}) RETURN e.epoch AS epoch, e.beat AS beat"
_MAKE = f"MERGE (e:{LABEL} {{uid: $uid}}) ON CREATE SET e.epoch = $epoch, e.beat = $beat"
_REPLACE = f"MERGE (e:{LABEL} {{uid: $uid}}) SET e.epoch = $epoch, e.beat = $beat"
_ADVANCE = f"MATCH (e:{LABEL} {{uid: $uid}}) WHERE e.epoch = $epoch AND e.beat < $beat SET e.beat = $beat"
_REMEMBERED = "SELECT epoch, beat FROM graph_epoch"
_REMEMBER = """
    INSERT INTO graph_epoch (id, epoch, beat) VALUES (1, %(epoch)s, %(beat)s)
    ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, noted_at = now(),
        beat = CASE WHEN graph_epoch.epoch = excluded.epoch AND NOT %(anew)s
                    THEN greatest(graph_epoch.beat, excluded.beat) ELSE excluded.beat END
"""
OLDER = (
    "The graph was restored from a copy that is older than what was seen before: recent changes are missing. An "
    "operator decides what to do (docs/operations/graph.md)."
)
GONE = (
    "The graph is not the one that was seen before: it was emptied or exchanged. Its answers would be wrong, so none "
    "is given until an operator has looked at it (docs/operations/graph.md)."
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one graph, and one moment of it, from another."""

    epoch: str
    beat: int


class _Known:
    """What this process knows, and since when."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.checked_at_s = float("-inf")
        self.advanced_at_s = float("-inf")
        self.verdict: Verdict = ""
        self.remembered: Mark | None = None


_known = _Known()


def check() -> str:
    """Empty, or why what the graph answers may be out of date. GraphStaleError when it was emptied or exchanged.

    Looks at most every GRAPH_EPOCH_CHECK_S seconds a process, one caller at a time: others go by what was seen last.
    A graph that was never laid is not held against anything.
    """
    if time.monotonic() - _known.checked_at_s > settings.GRAPH_EPOCH_CHECK_S:
        has_looked = _known.checked_at_s > float("-inf")
        if _known.lock.acquire(blocking=not has_looked):
            try:
                if time.monotonic() - _known.checked_at_s > settings.GRAPH_EPOCH_CHECK_S:
                    look()
            finally:
                _known.lock.release()
    if _known.verdict in ("emptied", "other"):
        raise GraphStaleError(GONE)
    return OLDER if _known.verdict == "older" else ""


def look() -> Verdict:
    """Compare now, whatever was known."""
    remembered = _remembered()
    verdict: Verdict = "" if remembered is None else compare(_found(), remembered)
    if verdict and verdict != _known.verdict:
        log.error("graph_stale", verdict=verdict)
    _known.verdict, _known.checked_at_s = verdict, time.monotonic()
    return verdict


def compare(found: Mark | None, remembered: Mark) -> Verdict:
    """What the graph's own mark says, held against the remembered one."""
    if found is None:
        return "emptied"
    if found.epoch != remembered.epoch:
        return "other"
    return "older" if found.beat < remembered.beat else ""


def begin(*, accept: bool = False) -> Verdict:
    """Make the mark where neither side has one, and remember the graph's where only it has.

    With ``accept``, take the graph as it is: an operator has looked. Returns what is wrong otherwise.
    """
    verdict = look()
    if verdict and not accept:
        return verdict
    fresh = Mark(uuid4().hex, _now_ms())
    _change(_REPLACE if verdict else _MAKE, fresh)
    found = _found()
    assert found is not None, "just made"
    _remember(found, anew=bool(verdict))
    return look()


def advance(*, at_once: bool = False) -> None:
    """A change was made: move the beat on, unless that was done just now."""
    if not at_once and time.monotonic() - _known.advanced_at_s < ADVANCE_EVERY_S:
        return
    _known.advanced_at_s = time.monotonic()
    remembered = _known.remembered or _remembered()
    if remembered is None or _known.verdict:
        return
    moved = Mark(remembered.epoch, _now_ms())
    _change(_ADVANCE, moved)
    _remember(moved, anew=False)


def _found() -> Mark | None:
    ticket = Ticket("epoch", "reader", CALL_S)
    asked = Asked(_FIND, {"uid": UID_OF_NODE}, ticket.mark, CALL_S, row_limit=1, byte_limit=1000)
    rows, _ = call(ticket, lambda links: transactions.read(links, asked))
    return Mark(*rows.rows[0]) if rows.rows else None


def _change(text: str, mark: Mark) -> None:
    ticket = Ticket("epoch", "writer", CALL_S)
    values = {"uid": UID_OF_NODE, "epoch": mark.epoch, "beat": mark.beat}
    asked = Asked(text, values, ticket.mark, CALL_S)
    call(ticket, lambda links: transactions.write(links, asked, commit=True))


def _remembered() -> Mark | None:
    """PostgreSQL's; what this process remembers while that does not answer."""
    try:
        with engine_db.cursor() as cursor:
            cursor.execute(_REMEMBERED)
            row = cursor.fetchone()
    except DatabaseError as error:
        log.warning("graph_epoch_unknown", error=type(error).__name__)
        return _known.remembered
    _known.remembered = Mark(*row) if row else None
    return _known.remembered


def _remember(mark: Mark, *, anew: bool) -> None:
    with engine_db.cursor() as cursor:
        cursor.execute(_REMEMBER, {"epoch": mark.epoch, "beat": mark.beat, "anew": anew})
    _known.remembered = mark


def _now_ms() -> int:
    return int(now().timestamp() * 1000)
