"""The one way to call a tool, whatever the door (SPEC 8 step 2), always in this order:

    resolve -> schema -> policy -> approval -> execute -> output -> audit and metrics

The budget of an agent's run is looked at before all of it (apps/agents/thinking/calls.py): a refused call counts, too.
`invoke` raises for what was refused before the tool ran, and returns an Outcome for what ran, well or not.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from uuid import UUID, uuid4

import structlog
from opentelemetry.trace import SpanKind
from pydantic import ValidationError as Misfit
from pydantic_core import from_json, to_json

from apps.audit import trail
from apps.tenancy import hiding
from apps.tools import approvals, keeping, policy, records, registry, under_way
from apps.tools.calls import Call, Outcome
from apps.tools.context import ToolContext
from apps.tools.errors import ApprovalRequired, OutputTooLarge, ToolBroken, ToolStopped
from apps.tools.registry import Effective
from apps.tools.spec import JOB_TIMEOUT_MAX_S, SYNC_TIMEOUT_MAX_S, ToolInput
from apps.tools.stopping import stopper
from kernel import metrics
from kernel.errors import PlatformError, ValidationError
from kernel.faults import faults_of
from kernel.outages import is_database_lost, outage
from kernel.payloads import unstorable
from kernel.request_context import current
from kernel.tenant_context import leave_all
from kernel.tracing import span

log = structlog.get_logger("tools")
OUTPUT_BYTES = 256 * 1024  # of one answer


def invoke(call: Call) -> Outcome:
    """Call a tool. NotFoundError, ValidationError, ForbiddenError, RateLimitedError, ApprovalRequired: it was refused,
    and has not run."""
    with ExitStack() as held:
        with _refusals_noted(call):
            held.enter_context(under_way.place(call))
        return _invoke(call)


def _invoke(call: Call) -> Outcome:
    started = time.perf_counter()
    tool, given = admit(call)
    arguments = given.model_dump(mode="json", exclude_unset=True)
    digest = records.request_hash(arguments)
    earlier = records.find_earlier(call, tool, digest)
    if earlier is not None:
        metrics.TOOL_INVOCATIONS.labels(tool.spec.name, call.door, "replayed").inc()
        return earlier
    approval_id = _gate(call, tool, arguments, digest)
    shown = keeping.kept(arguments, lambda document: _scrubbed(call, document))
    entry = records.Entry(uuid4(), call, tool, shown, digest, approval_id)
    begun = tool.writes or call.idempotency_key is not None
    invocation_id = records.begin(entry) if begun else entry.id
    outcome = _execute(call, tool, given, invocation_id, started)
    records.end(entry, outcome, begun=begun)
    metrics.TOOL_INVOCATIONS.labels(tool.spec.name, call.door, "succeeded" if outcome.ok else "failed").inc()
    metrics.TOOL_DURATION.labels(tool.spec.name).observe(outcome.duration_ms / 1000)
    return outcome


def admit(call: Call) -> tuple[Effective, ToolInput]:
    """The first three stages: the tool and its input, when this caller may call it so. Counts against its rate."""
    with _refusals_noted(call):
        tool = registry.find(call.principal.tenant_id, call.name)
        given = validated(tool, call.arguments)
        tool = tool.called_with(call.arguments)
        policy.check(call, tool)
    return tool, given


def admit_for_later(call: Call) -> Effective:
    """Every stage before `execute`, for a call that a job will make: raises what `invoke` would raise, waits for a
    person where it would, and spends no approval. The job's own call is not counted once more."""
    tool, given = admit(call)
    arguments = given.model_dump(mode="json", exclude_unset=True)
    if awaits(call, tool, arguments):
        error = _waits(_asked(call, tool, arguments))
        with _refusals_noted(call):
            raise error
    return tool


def awaits(call: Call, tool: Effective, arguments: Mapping[str, Any]) -> bool:
    """Whether a person would have to approve this call before it runs."""
    return policy.needs_approval(call, tool) and approvals.find_approved(_asked(call, tool, arguments)) is None


def validated(tool: Effective, arguments: Mapping[str, Any]) -> ToolInput:
    """ValidationError that names every fault. Text is no number, and "true" no boolean."""
    reason = unstorable(dict(arguments))
    if reason is not None:
        raise ValidationError(
            f"The arguments do not fit {tool.spec.name}: {reason}.",
            errors=[{"loc": ["args"], "msg": reason, "type": "unstorable"}],
            code="invalid_arguments",
        )
    try:
        return tool.spec.input_model.model_validate_json(to_json(dict(arguments)), strict=True)
    except Misfit as misfit:
        faults = faults_of(misfit, "args")[:50]
        listed = "; ".join(f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in faults[:5])
        raise ValidationError(
            f"The arguments do not fit {tool.spec.name} (GET /v1/tools/{tool.spec.name} shows its schema). {listed}",
            errors=faults,
            code="invalid_arguments",
        ) from misfit


def _gate(call: Call, tool: Effective, arguments: dict[str, Any], digest: str) -> UUID | None:
    """The id of the approval that was spent for it, None where none is needed."""
    with _refusals_noted(call):
        if not policy.needs_approval(call, tool):
            return None
        spent = records.find_spent_approval(call, tool, digest)
        if spent is not None:
            return spent
        asked = _asked(call, tool, arguments)
        found = approvals.find_approved(asked)
        if found is not None and approvals.use(call.principal, found):
            return found
        raise _waits(asked)


def _waits(asked: approvals.Asked) -> ApprovalRequired:
    """The error that names the row which waits for a person, or was denied."""
    waiting = approvals.ask(asked)
    return ApprovalRequired(
        f"{waiting.tool} {'was denied' if waiting.status == 'denied' else 'has to be approved'} by a person: "
        f"see /v1/tools/approvals/{waiting.id}.",
        code="approval_denied" if waiting.status == "denied" else None,
        approval_id=str(waiting.id),
        tool=waiting.tool,
        arguments_sha256=waiting.arguments_sha256,
    )


def _asked(call: Call, tool: Effective, arguments: Mapping[str, Any]) -> approvals.Asked:
    return approvals.Asked(call.principal, tool.spec, arguments, call.door, call.run_id)


def _execute(call: Call, tool: Effective, given: ToolInput, invocation_id: UUID, started: float) -> Outcome:
    context = ToolContext(
        principal=call.principal,
        door=call.door,
        deadline=time.monotonic() + limit_s(call, tool),
        invocation_id=invocation_id,
        idempotency_key=call.idempotency_key or str(invocation_id),
        run_id=call.run_id,
        session_id=call.session_id,
        cancelled=call.cancelled,
        report=call.report,
    )
    result: dict[str, Any] | None = None
    error: PlatformError | None = None
    watch = stopper.watch(context)
    try:
        try:
            with _span(tool):
                output = tool.spec.function(context, given)
        finally:
            watch.close()
        result = _given_out(call, tool, output)
    except PlatformError as failed:
        if call.supersedes and failed.code == "database_unavailable":
            raise  # the row stays open: the next try takes it over
        # However what it waited for says that it was ended: a run that is resumed does not take it for a failure.
        error = ToolStopped("The call was cancelled.", code="tool_cancelled") if call.cancelled() else failed
    except Exception as bug:
        if call.supersedes and is_database_lost(bug):
            raise  # as above: PostgreSQL hung up
        log.exception("tool_broken", tool=tool.spec.name, invocation_id=str(invocation_id), error=type(bug).__name__)
        error = outage(bug) or ToolBroken(f"{tool.spec.name} failed inside. Report invocation {invocation_id}.")
    watch.close()  # should the first one have been interrupted
    if watch.interrupted:
        leave_all()
    return Outcome(
        invocation_id=invocation_id,
        tool=tool.spec.name,
        ok=error is None,
        result=result,
        error=None if error is None else _told(call, error),
        http_status=200 if error is None else error.http_status,
        duration_ms=round((time.perf_counter() - started) * 1000, 3),
    )


def _span(tool: Effective) -> AbstractContextManager[object]:
    above = current()
    return span(
        f"tool {tool.spec.name}",
        kind=SpanKind.INTERNAL,
        traceparent=above.traceparent,
        tracestate=above.tracestate,
        request_id=above.request_id,
        correlation_id=above.correlation_id,
        client_ip=above.client_ip,
    )


def limit_s(call: Call, tool: Effective) -> float:
    """Seconds that this call may take: what it asks for, and no more than the tool and its door allow."""
    most = JOB_TIMEOUT_MAX_S if call.door == "job" and tool.spec.long_running else SYNC_TIMEOUT_MAX_S
    return min(most, tool.timeout_s, call.timeout_s if call.timeout_s is not None else math.inf)


def _given_out(call: Call, tool: Effective, output: Any) -> dict[str, Any]:
    """The output as JSON: of the declared shape, within its size, without personal data."""
    if type(output) is not tool.spec.output_model:
        raise TypeError(f"{tool.spec.name} gave a {type(output).__name__}, not a {tool.spec.output_model.__name__}")
    text = to_json(output, inf_nan_mode="null")
    if len(text) > OUTPUT_BYTES:
        raise OutputTooLarge(
            f"{tool.spec.name} found {len(text):,} bytes; one call answers at most {OUTPUT_BYTES:,}. Ask for less."
        )
    return _scrubbed(call, from_json(text))


def _scrubbed(call: Call, document: dict[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = hiding.scrubber(call.principal.tenant_id)(document)
    return clean


def _told(call: Call, error: PlatformError) -> dict[str, Any]:
    """{code, message} and the error's own extensions."""
    extra = {name: value for name, value in error.extra.items() if name not in ("code", "message")}
    faults = {} if error.errors is None else {"errors": error.errors}
    told = {"code": error.code, "message": error.detail, "http_status": error.http_status, **faults, **extra}
    return _scrubbed(call, told)


@contextmanager
def _refusals_noted(call: Call) -> Iterator[None]:
    """What refuses the call in here is counted, left in the audit log, and passes."""
    try:
        yield
    except PlatformError as error:
        metrics.TOOL_REFUSALS.labels(error.code).inc()
        trail.note(
            **trail.by(call.principal),
            action="tool.refuse",
            resource_type="tool",
            resource_id=call.name[:100],
            details={"code": error.code, "door": call.door, **({"run_id": str(call.run_id)} if call.run_id else {})},
        )
        raise
