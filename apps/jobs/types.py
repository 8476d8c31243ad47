"""The job types: name, payload, time limit, in one table (SPEC 5). What they do is workers/handlers/."""

from dataclasses import dataclass, field
from typing import Any

from apps.jobs import payloads
from kernel.payloads import PayloadValidator
from kernel.redis_keys import JOBS_QUEUE, JOBS_QUEUE_HIGH

CREATE = "jobs:create"


@dataclass(frozen=True)
class JobType:
    """``time_limit_s``: a run longer than this is ended as failed with reason time_limit.

    ``acts_for_owner``: its payload is a wish that is carried out with its owner's rights, so nobody else may have it
    run again in a name of their own. ``permission``: what the submitter needs; a type that asks for more than
    jobs:create is not shown to everybody. ``max_attempts``: crashes that make it poison, 0: MAX_ATTEMPTS.

    Workers read this table before Django is set up, so nothing here imports a model (apps/jobs/admission.py may).
    """

    name: str
    description: str
    payload: type[payloads.Payload]
    time_limit_s: int
    permission: str = CREATE
    acts_for_owner: bool = False
    max_attempts: int = 0
    schema: dict[str, Any] = field(init=False)
    validator: PayloadValidator = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schema", self.payload.model_json_schema())
        object.__setattr__(self, "validator", PayloadValidator(self.schema))

    @property
    def is_for_everybody(self) -> bool:
        return self.permission == CREATE

    def queue(self, priority: int = 0) -> str:
        """The Redis list that carries this type's ids."""
        return (JOBS_QUEUE_HIGH if priority > 0 else JOBS_QUEUE)(type=self.name)


JOB_TYPES: dict[str, JobType] = {
    job_type.name: job_type
    for job_type in (
        JobType("demo", "Sleeps for duration_ms, reporting progress.", payloads.DemoPayload, 2 * 3600),
        JobType("test", "Ends at once; fails on demand.", payloads.TestPayload, 2 * 3600),
        JobType("long-running", "Works in steps for duration_ms.", payloads.LongRunningPayload, 25 * 3600),
        JobType(
            "agent.run",
            "Runs an agent on the workers.",
            payloads.AgentRunPayload,
            3600,
            acts_for_owner=True,
            max_attempts=1000,  # it only looks on: what its run's steps do to workers is counted there
        ),
        JobType(
            "tool.invoke",
            "Calls a tool, longer than a caller waits.",
            payloads.ToolInvokePayload,
            3700,
            acts_for_owner=True,
        ),
        JobType(
            "tenant.offboard",
            "Exports a tenant that is being deleted, then erases it.",
            payloads.TenantOffboardPayload,
            6 * 3600,
            permission="tenants:delete",
        ),
        JobType(
            "model.pull",
            "Has a provider download a model.",
            payloads.ModelPullPayload,
            6 * 3600,
            permission="models:update",
        ),
        JobType(
            "model.warmup",
            "Has a model ready to answer.",
            payloads.ModelWarmUpPayload,
            1800,
            permission="models:update",
        ),
    )
}
PUBLIC_TYPES = [job_type.name for job_type in JOB_TYPES.values() if job_type.is_for_everybody]
