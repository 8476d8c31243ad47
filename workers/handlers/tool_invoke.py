"""Job type tool.invoke: calls a tool with what its submitter may do now; the tool's progress is the job's.

An attempt that dies, or is given back by a worker that shuts down, leaves its call open: the next one takes it over,
under the same key, so that what writes makes its effect once. A job that is cancelled stops its tool.
"""

from typing import Any

from apps.identity.present import rights_now
from apps.identity.principal import Principal
from apps.tools import jobs, pipeline, shown
from kernel.errors import PlatformError
from workers.execution import Execution, Stopped


class ToolCallFailed(PlatformError):
    """The tool ran and failed; the code is the tool's."""

    code = "tool_failed"


def run(job: Execution) -> dict[str, Any]:
    """Result: the call as POST .../invocations answers it. ToolCallFailed when the tool failed."""
    caller = rights_now(Principal.from_json(job.principal))

    def report(stage: str, message: str, percent: float | None) -> None:
        try:
            job.report(stage, message, percent)
        except Stopped:  # the tool hears of it at its next checkpoint, and its call is written down as cancelled
            return

    outcome = pipeline.invoke(
        jobs.call_of(caller, job.payload, job.job_id, cancelled=lambda: job.stop_reason is not None, report=report)
    )
    if outcome.error is not None:
        if outcome.error["code"] == "tool_cancelled":
            job.checkpoint()
        raise ToolCallFailed(
            f"{outcome.error['message']} (invocation {outcome.invocation_id})", code=str(outcome.error["code"])
        )
    return shown.outcome_out(outcome, jobs.call_of(caller, job.payload).arguments)
