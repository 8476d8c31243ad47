"""How much waits on the lists in Redis, for all tenants together: counts, never what it is."""

from dataclasses import dataclass

import redis

from apps.jobs.types import JOB_TYPES
from kernel.redis_client import availability, client
from kernel.redis_keys import JOBS_DEAD, RUNS_QUEUE


@dataclass(frozen=True, slots=True)
class Depths:
    """``jobs``: (type, priority high or normal) -> ids waiting; ``dead``: kept aside on jobs:dead; ``runs``: tasks of
    agent runs."""

    jobs: dict[tuple[str, str], int]
    dead: int
    runs: int


def depths() -> Depths | None:
    """One look at every list; None while Redis is away."""
    if not availability.usable():
        return None
    wanted = [(name, priority) for name in JOB_TYPES for priority in ("high", "normal")]
    pipe = client().pipeline(transaction=False)
    for name, priority in wanted:
        pipe.llen(JOB_TYPES[name].queue(1 if priority == "high" else 0))
    pipe.llen(JOBS_DEAD())
    pipe.llen(RUNS_QUEUE())
    try:
        *lengths, dead, runs = pipe.execute()
    except redis.RedisError:
        return None
    return Depths(dict(zip(wanted, lengths, strict=True)), dead, runs)
