"""A call of a tool, and what came of it: what every door hands to the pipeline, and gets back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.identity.principal import Principal
from apps.tools.context import Door, Report, never, nobody


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``timeout_s``: less than the tool's own limit, or None. ``read_only``: what writes is refused.

    ``tainted``: the wish may come from data (an earlier tool's output, the graph), not from the person: what writes
    needs an approval. ``idempotency_key``: a repeat with the same key and arguments gets the first one's outcome.
    ``supersedes``: the caller knows that nobody else carries out a call with this key any more (it holds a lease), so
    one that never ended is carried out again.
    """

    principal: Principal
    name: str
    arguments: Mapping[str, Any]
    door: Door
    idempotency_key: str | None = None
    timeout_s: float | None = None
    read_only: bool = False
    tainted: bool = False
    supersedes: bool = False
    run_id: UUID | None = None
    session_id: UUID | None = None
    job_id: UUID | None = None
    cancelled: Callable[[], bool] = field(default=never, repr=False)
    report: Report = field(default=nobody, repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A tool was run, now or (``replayed``) by an earlier call with the same key.

    ``result``: its output as JSON, personal data hidden by the tenant's mode; None unless ``ok``. ``error``: {code,
    message} and what else the tool's error said; ``http_status``: what that error is over HTTP, 200 when ok.
    """

    invocation_id: UUID
    tool: str
    ok: bool
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    http_status: int
    duration_ms: float
    replayed: bool = False
