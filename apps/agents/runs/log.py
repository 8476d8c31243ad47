"""The logs of runs, as the streams follow them (apps/jobs/logs.py)."""

from uuid import UUID

from apps.agents.runs import selectors as run_selectors
from apps.identity.principal import Principal
from apps.jobs.logs import LogKind, LogRef
from kernel.redis_keys import RUNS_EVENTS


def _find(principal: Principal, run_id: UUID) -> LogRef:
    return run_selectors.ref_of(run_selectors.get_run(principal, run_id))


RUN_LOG = LogKind("run", "run_id", RUNS_EVENTS, _find, run_selectors.events_after, run_selectors.last_seqs)
