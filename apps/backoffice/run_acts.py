"""Cancel and resume as an administrator or operator does them: through the runs' own services, one by one."""

from collections.abc import Callable

from apps.agents.models import AgentRun
from apps.agents.runs import services as run_services
from apps.agents.states import CANCELLED, FAILED, RUN_TERMINAL
from apps.backoffice.rights import Staff
from apps.backoffice.told import tell
from kernel.errors import ConflictError, PlatformError

Act = Callable[[Staff, AgentRun], str]


def cancel(staff: Staff, run: AgentRun) -> str:
    """One that has not begun ends at once, a running one is told."""
    status, already_ended = run_services.cancel_run(staff.overseeing(run.tenant_id), run.id)
    if already_ended:
        raise ConflictError(f"Run {run.id} is {status} already.")
    return f"Run {run.id} was cancelled." if status == CANCELLED else f"Run {run.id} was asked to stop."


def resume(staff: Staff, run: AgentRun) -> str:
    """The person's own failed or cancelled run goes on; nobody else may have it act in the owner's name."""
    run_services.resume_run(staff.acting_in(run.tenant_id), run.id)
    return f"Run {run.id} goes on at its first step that is not done."


ACTS: dict[str, Act] = {"cancel": cancel, "resume": resume}


def perform(staff: Staff, name: str, run: AgentRun) -> tuple[bool, str]:
    """Do it and tell the audit log. Whether it worked, and a sentence for the person."""
    try:
        said = ACTS[name](staff, run)
    except PlatformError as error:
        tell(staff, f"run_{name}", tenant_id=run.tenant_id, resource_type="agent_run", resource_id=run.id,
             outcome="failed", owner=run.owner_sub, code=error.code)  # fmt: skip
        return False, error.detail
    tell(staff, f"run_{name}", tenant_id=run.tenant_id, resource_type="agent_run", resource_id=run.id,
         owner=run.owner_sub)  # fmt: skip
    return True, said


def offered(staff: Staff, run: AgentRun) -> list[tuple[str, str]]:
    """The acts that make sense for the run as it is, with their names for people."""
    if run.status not in RUN_TERMINAL:
        return [("cancel", "Cancel")]
    is_own = run.owner_sub == staff.sub and run.tenant_id == staff.tenant_id
    return [("resume", "Go on with it")] if is_own and run.status in (FAILED, CANCELLED) else []
