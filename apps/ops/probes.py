"""Is each part there? One short function a part; none waits longer than about a second."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitTimeout
from dataclasses import dataclass
from typing import Any

import structlog
from django.conf import settings
from django.db import connections

from apps.graph import client as graph
from apps.identity.health import issuer_health
from apps.llm.availability import platform_availability
from kernel import engine_db
from kernel.redis_client import client as redis_client

log = structlog.get_logger("probes")
PROBE_LIMIT_S = 2.5
WORKER_SEEN_WITHIN_S = 15
REQUIRED = ("app", "postgres")  # without these the API cannot serve: not ready; without another: degraded

_pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe")


class Unavailable(LookupError):
    """A part is down, and there is more to say of it than why."""

    def __init__(self, reason: str, details: dict[str, Any]) -> None:
        super().__init__(reason)
        self.details = details


@dataclass(frozen=True)
class Check:
    """The state of one part. ``status``: ok, degraded or down."""

    ok: bool
    status: str
    latency_ms: float
    details: dict[str, Any]


def _app() -> dict[str, Any]:
    return {"version": settings.VERSION}


def _postgres() -> dict[str, Any]:
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('server_version'), to_regclass('jobs') IS NOT NULL, to_regclass('job_events') "
                "IS NOT NULL"
            )
            version, jobs, events = cursor.fetchone()
    finally:
        connections["default"].close()
    if not (jobs and events):
        raise LookupError("the tables are missing: run `python manage.py migrate --database=owner`")
    return {"server_version": version}


def _redis() -> dict[str, Any]:
    redis_client().ping()
    return {}


def _graph() -> dict[str, Any]:
    return graph.ping()


def _workers() -> dict[str, Any]:
    try:
        with engine_db.cursor() as cursor:
            cursor.execute(
                "SELECT count(*), coalesce(sum(running), 0), coalesce(sum(concurrency), 0) FROM worker_heartbeats "
                "WHERE seen_at > now() - make_interval(secs => %s)",
                [WORKER_SEEN_WITHIN_S],
            )
            alive, running, concurrency = cursor.fetchone()
    finally:
        connections[engine_db.ALIAS].close()
    if not alive:
        raise LookupError("no worker heartbeat: start one with `celery -A workers worker`")
    return {"alive": alive, "running": running, "concurrency": concurrency}


def _issuer() -> dict[str, Any]:
    return issuer_health()


def _llm() -> dict[str, Any]:
    """Names and states of the platform's own providers: a tenant's, and all addresses, are nobody else's to see."""
    found = platform_availability()
    if not found.is_available:
        raise Unavailable(found.reason, found.as_json())
    return found.as_json()


PROBES: dict[str, Callable[[], dict[str, Any]]] = {
    "app": _app,
    "postgres": _postgres,
    "redis": _redis,
    "graph": _graph,
    "workers": _workers,
    "issuer": _issuer,
    "llm": _llm,
}
ALIASES = {"memgraph": "graph", "models": "llm"}  # other names: the predecessor's, and what the routes are called


def _run(name: str) -> Check:
    began = time.monotonic()
    try:
        details = PROBES[name]()
    except Exception as error:  # whatever is wrong with a part, the answer is that it is down
        log.warning("probe_failed", part=name, error=type(error).__name__, detail=str(error)[:300])
        reason = str(error) if isinstance(error, LookupError) else "does not answer"
        return Check(False, "down", _ms(began), {"reason": reason, **getattr(error, "details", {})})
    return Check(True, "ok", _ms(began), details)


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 2)


def check(names: list[str]) -> dict[str, Check]:
    """Probe these parts side by side. One that takes too long counts as down."""
    began = time.monotonic()
    futures = {name: _pool.submit(_run, name) for name in names}
    answers = {}
    for name, future in futures.items():
        try:
            answers[name] = future.result(timeout=max(0.05, PROBE_LIMIT_S - (time.monotonic() - began)))
        except WaitTimeout:
            answers[name] = Check(False, "down", _ms(began), {"reason": "does not answer in time"})
    return answers


def overall(checks: dict[str, Check]) -> str:
    """ok; degraded when an optional part is down; down when a required one is."""
    if any(not checks[name].ok for name in REQUIRED if name in checks):
        return "down"
    return "ok" if all(check.ok for check in checks.values()) else "degraded"
