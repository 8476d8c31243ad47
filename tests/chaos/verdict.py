"""The end of a nemesis run: wait for rest, take the snapshot, let the checker speak, count."""

from functools import partial
from uuid import UUID

from apps.jobs.types import JOB_TYPES
from tests.chaos.checker import Event, Snapshot, Violation, check
from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.nodes import Node
from tests.clients import wait_for

SHOWN = 12
MORE_FILES_ALLOWED = 40  # the pools of a process that has just started are not filled yet

JOBS = """SELECT id::text, status, attempt, crashes, last_seq, lease_until IS NOT NULL, idempotency_key, type,
    error_json ->> 'reason', dead_lettered_at IS NOT NULL FROM jobs WHERE tenant_id = %s"""
EVENTS = "SELECT job_id::text, seq_id, event_type, event_json FROM job_events WHERE tenant_id = %s ORDER BY 1, 2"
EFFECTS = """SELECT job_id::text, token, attempt, accepted, reason FROM chaos_effects
    WHERE job_id IN (SELECT id FROM jobs WHERE tenant_id = %s) ORDER BY at"""
IDLE = """SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'
    AND state_change < clock_timestamp() - interval '1 s'"""
FIELDS = ("status", "attempt", "crashes", "last_seq", "leased", "key", "type", "reason", "dead")


def queue_lengths(platform: Platform) -> dict[str, int]:
    """Ids on every job list."""
    with platform.redis_client() as redis:
        names = [job_type.queue(priority) for job_type in JOB_TYPES.values() for priority in (0, 1)]
        return {name: int(redis.llen(name)) for name in names}


def snapshot(platform: Platform, tenant_id: UUID) -> Snapshot:
    """What the database and the lists hold now."""
    events: dict[str, list[Event]] = {}
    for job_id, seq, kind, data in platform.query(EVENTS, [tenant_id]):
        events.setdefault(job_id, []).append(Event(seq, kind, data))
    effects: dict[str, list[dict[str, object]]] = {}
    for job_id, *line in platform.query(EFFECTS, [tenant_id]):
        effects.setdefault(job_id, []).append(dict(zip(("token", "attempt", "accepted", "reason"), line, strict=True)))
    jobs = {row[0]: dict(zip(FIELDS, row[1:], strict=True)) for row in platform.query(JOBS, [tenant_id])}
    return Snapshot(jobs, events, effects, queue_lengths(platform), platform.query(IDLE)[0][0])


def open_jobs(platform: Platform, tenant_id: UUID) -> int:
    counts = platform.status_counts(tenant_id)
    return counts.get("queued", 0) + counts.get("running", 0)


def settle(platform: Platform, tenant_id: UUID, limit_s: float = 40.0) -> None:
    """Until no job is open and stale duplicates have drained from the lists."""
    try:
        wait_for(
            lambda: not open_jobs(platform, tenant_id) and not any(queue_lengths(platform).values()),
            limit_s=limit_s,
            what="coming to rest",
            every_s=0.1,
        )
    except AssertionError as error:
        counts, queues = platform.status_counts(tenant_id), queue_lengths(platform)
        raise AssertionError(f"{error}; jobs {counts}, lists {queues}") from error


def judge(platform: Platform, history: History, tenant_id: UUID) -> tuple[list[Violation], Snapshot]:
    """Violations, without waiting first."""
    after = snapshot(platform, tenant_id)
    return check(history.records, after), after


def assert_sound(platform: Platform, history: History, tenant_id: UUID, limit_s: float = 40.0) -> Snapshot:
    """Come to rest and find no violation."""
    settle(platform, tenant_id, limit_s)
    violations, after = judge(platform, history, tenant_id)
    shown = "\n".join(str(violation)[:600] for violation in violations[:SHOWN])
    assert not violations, f"{len(violations)} violations in {len(after.jobs)} jobs:\n{shown}"
    return after


def note_files(platform: Platform) -> None:
    """Remember how many files each process had open when it was first looked at."""
    for node in platform.nodes:
        if node.is_running():
            platform.files_at_start.setdefault(node.pid, node.open_files())


def _holds_at_most(node: Node, limit: int) -> bool:
    return node.open_files() <= limit


def assert_no_files_leaked(platform: Platform) -> None:
    """However many faults a process has lived through, it holds about as many files as at first."""
    for node in platform.nodes:
        limit = platform.files_at_start.get(node.pid, node.open_files()) + MORE_FILES_ALLOWED
        wait_for(
            partial(_holds_at_most, node, limit),
            what=f"{node.name} holding at most {limit} files (it has {node.open_files()})",
        )
