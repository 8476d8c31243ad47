"""How runs end before their time: cancelled, or failed with what was found until then."""

from typing import Any

from django.conf import settings

from apps.agents.phases.finalize import canonical, partial
from apps.agents.runs import measures as run_metrics
from apps.agents.runs import view as run_view
from apps.agents.runs.event_types import APPROVAL
from apps.agents.states import CANCELLED, FAILED
from apps.agents.thinking.tool_door import ApprovalAwaited
from apps.agents.types import RunView
from apps.identity.principal import Principal
from apps.tenancy import hiding
from kernel.clock import now
from kernel.errors import PlatformError
from kernel.pii.text import Mode
from workers.runs.hold import Hold

Change = dict[str, Any]
RETRY_S = 1.0  # before a phase is tried again; four times as long before the next try
RETRY_MAX_S = 30.0
MESSAGE_MAX_CHARS = 4000
# Retryable for whoever asks later; a run would only ask in vain a few seconds on.
FINAL_CODES = frozenset({"budget_exhausted", "llm_budget_spent"})


class RunEnded(PlatformError):
    """Why a run ends that no error of its own ended: its deadline, a bug, its caller's rights."""


def cancelled(hold: Hold) -> Change:
    """Somebody asked for it. What was found stays where it is: in the steps."""
    return {"status": CANCELLED, "metrics": _metrics(hold), "todos": hold.row["todos_json"]}


def failed(hold: Hold, reason: str, message: str, **extra: Any) -> Change:
    """Failed for this reason."""
    return failed_by(hold, RunEnded(message, code=reason, **extra))


def failed_by(hold: Hold, error: PlatformError) -> Change:
    """Failed with the error's code as the reason, and with what was found until then."""
    detail, extra = error.detail[:MESSAGE_MAX_CHARS], error.extra
    view, total = _view(hold), _metrics(hold)
    scrub = hiding.scrubber(hold.tenant_id, _pii_mode(hold))
    told = PlatformError(detail, code=error.code, **extra)
    hosts = frozenset(settings.ANSWER_LINK_HOSTS)
    final = partial(view, told, scrub, link_hosts=hosts)
    if isinstance(error, ApprovalAwaited):
        named = {name: extra[name] for name in ("approval_id", "tool", "arguments_sha256", "approve_at")}
        hold.tell("approval", APPROVAL.data(run_id=str(hold.run_id), **named))
    place = {"phase": hold.phase, "index": hold.index}
    return {
        "status": FAILED,
        "output": canonical(view, final, total),
        "error": {**dict(final.error or {}), "message": detail, "reason": error.code, **place},
        "degraded": final.degraded,
        "metrics": total,
    }


def _view(hold: Hold) -> RunView:
    said = Principal.from_json(hold.row["principal_json"])
    steps = [run_view.step_of(row) for row in hold.row["steps"] if row["attempt"] == hold.attempt]
    return run_view.view_of(hold.row, steps, acting=said)


def _metrics(hold: Hold) -> dict[str, Any]:
    overall_ms = max(0.0, (now() - hold.row["started_at"]).total_seconds() * 1000)
    return run_metrics.summed(hold.row["metrics_json"], overall_ms=overall_ms)


def _pii_mode(hold: Hold) -> Mode:
    try:
        return hiding.mode_of(hold.tenant_id)
    except PlatformError:  # PostgreSQL is away: the strictest of the usual modes
        return "mask"
