"""Tools of runs: through the pipeline that every door uses; what was refused or failed becomes data."""

from typing import Any

from pydantic_core import to_json

from apps.agents.types import ToolAnswer
from apps.tools import pipeline
from apps.tools.calls import Call
from apps.tools.errors import ApprovalRequired
from apps.tools.models import ToolApproval
from kernel.errors import PlatformError, UnavailableError
from kernel.tenant_context import tenant_scope

APPROVALS = "/v1/tools/approvals"
ARGUMENTS_BYTES = 16 * 1024  # of them that the run's own record shows; larger ones are seen whole in the approval's


class ApprovalAwaited(PlatformError):
    """A person has to approve exactly this call: the run stops here, and makes it when it is resumed.

    ``approval_id``, ``tool``, ``arguments`` (as the tool would get them; None when they are too large to show here),
    ``arguments_sha256``, ``approve_at``: where to decide.
    """

    code, http_status, title = "approval_required", 409, "Approval Required"


def invoke(call: Call) -> ToolAnswer:
    """The tool's answer. ApprovalAwaited; UnavailableError when the registry or the store cannot be reached."""
    try:
        outcome = pipeline.invoke(call)
    except ApprovalRequired as error:
        if error.code != ApprovalRequired.code:
            return _failed(error.code, error.detail)
        raise _awaited(call, error) from error
    except UnavailableError:
        raise
    except PlatformError as error:
        return _failed(error.code, error.detail)
    if outcome.ok:
        return ToolAnswer(True, outcome.result)
    said = outcome.error or {}
    return _failed(str(said.get("code", "tool_failed")), str(said.get("message", "It failed.")))


def _awaited(call: Call, error: ApprovalRequired) -> ApprovalAwaited:
    approval_id, tool = error.extra["approval_id"], error.extra["tool"]
    with tenant_scope(call.principal.tenant_id):
        arguments: dict[str, Any] | None = ToolApproval.objects.values_list("arguments", flat=True).get(id=approval_id)
    where = f"{APPROVALS}/{approval_id}"
    return ApprovalAwaited(
        f"A person has to approve the call of {tool} that this run wants to make: look at its arguments and decide at "
        f"{where}, then resume the run.",
        approval_id=approval_id,
        tool=tool,
        arguments=arguments if len(to_json(arguments)) <= ARGUMENTS_BYTES else None,
        arguments_sha256=error.extra["arguments_sha256"],
        approve_at=where,
    )


def _failed(code: str, message: str) -> ToolAnswer:
    return ToolAnswer(False, error={"code": code, "message": message})
