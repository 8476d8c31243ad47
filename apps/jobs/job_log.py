"""The logs of jobs, as the streams follow them."""

from uuid import UUID

from apps.identity.principal import Principal
from apps.jobs import selectors
from apps.jobs.logs import LogKind, LogRef
from kernel.redis_keys import JOBS_EVENTS


def _find(principal: Principal, job_id: UUID) -> LogRef:
    return selectors.ref_of(selectors.get_job(principal, job_id))


JOB_LOG = LogKind("job", "job_id", JOBS_EVENTS, _find, selectors.events_after, selectors.last_seqs)
