"""The Celery task names shared by senders and workers."""

from typing import Final


class TaskName:
    """A sender imports the name, never the task."""

    JOBS_RUN: Final = "jobs.run"
    MAINTENANCE_PREFIX: Final = "maintenance."
    MAINTENANCE_CLEANUP: Final = "maintenance.cleanup"
    MAINTENANCE_TOKENS: Final = "maintenance.tokens"
    MAINTENANCE_PARTITIONS: Final = "maintenance.partitions"
    MAINTENANCE_PROVIDERS: Final = "maintenance.providers"
    MAINTENANCE_LOST_CALLS: Final = "maintenance.lost_calls"
    RUN_PREFIX: Final = "agent_runs."
    RUN_START: Final = "agent_runs.start"
    RUN_CLASSIFY: Final = "agent_runs.classify"
    RUN_PLAN: Final = "agent_runs.plan"
    RUN_STEP: Final = "agent_runs.step"
    RUN_FINALIZE: Final = "agent_runs.finalize"
