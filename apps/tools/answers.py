"""A call over REST, and what it is answered with: the outcome, or the job that it became."""

from dataclasses import dataclass
from typing import Any, Literal

from apps.tools import jobs, pipeline, registry
from apps.tools.calls import Call
from apps.tools.errors import ToolBroken
from apps.tools.shown import job_out, outcome_out

Mode = Literal["auto", "sync", "async"]


@dataclass(frozen=True, slots=True)
class Answered:
    """201 or 202, and 200 for a replay. ``location``: a path."""

    status: int
    body: dict[str, Any]
    location: str
    replayed: bool


def answer(call: Call, mode: Mode, *, request_id: str) -> Answered:
    """Make the call, or have a job make it. A tool that ran and failed is an answer; one with a bug is a ToolBroken."""
    spec = registry.spec_of(call.name)
    is_long = spec.long_running and call.arguments.get("action") not in spec.reading_actions
    if mode == "async" or (mode == "auto" and is_long):
        accepted = jobs.submit(call, request_id=request_id)
        body = job_out(accepted.job_id, spec.name)
        return Answered(
            200 if accepted.replayed else 202, body, f"/v1/jobs/{accepted.job_id}", replayed=accepted.replayed
        )
    jobs.refuse_key_of_job(call, spec.name)
    outcome = pipeline.invoke(call)
    if outcome.error is not None and outcome.error["code"] == ToolBroken.code:
        raise ToolBroken(str(outcome.error["message"]), invocation_id=str(outcome.invocation_id))
    limit_s = pipeline.limit_s(call, registry.find(call.principal.tenant_id, spec.name))
    return Answered(
        200 if outcome.replayed else 201,
        outcome_out(outcome, call.arguments) | {"timeout_seconds": limit_s},
        f"/v1/tools/{spec.name}/invocations/{outcome.invocation_id}",
        replayed=outcome.replayed,
    )
