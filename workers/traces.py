"""The trace goes on in a worker: a job's from its row, a stock task's in the headers of its message (SPEC 2.2)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import structlog
from celery import signals
from opentelemetry.trace import SpanKind

from kernel import tracing
from kernel.ids import request_id_of
from kernel.request_context import current
from workers.execution import Execution

# Field of the request's context -> header of a task's message. Celery has a correlation_id of its own: the task's id.
CARRIED = {
    "traceparent": "traceparent",
    "tracestate": "tracestate",
    "request_id": "request_id",
    "correlation_id": "request_correlation_id",
}
_open: dict[str, ExitStack] = {}  # task id -> what ends its span


@contextmanager
def job_span(execution: Execution) -> Iterator[None]:
    """One attempt at a job: a child of the request that made it, whichever attempt it is."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        job_id=str(execution.job_id),
        tenant_id=str(execution.tenant_id),
        attempt=execution.attempt,
        **({"retry_of": str(execution.retry_of)} if execution.retry_of else {}),
    )
    with tracing.span(
        f"job {execution.type}",
        kind=SpanKind.CONSUMER,
        traceparent=execution.traceparent,
        request_id=execution.request_id,
        correlation_id=execution.correlation_id,
    ):
        yield
    structlog.contextvars.clear_contextvars()


def install() -> None:
    """Connect Celery's signals; twice is once."""
    signals.before_task_publish.connect(_send_along, dispatch_uid="trace")
    signals.task_prerun.connect(_begin, dispatch_uid="trace")
    signals.task_postrun.connect(_end, dispatch_uid="trace")


def carried() -> dict[str, str]:
    """The headers by which a task that is sent from here goes on with the trace."""
    context = current()
    if not context.traceparent:
        return {}
    return {header: value for name, header in CARRIED.items() if (value := getattr(context, name))}


def _send_along(headers: dict[str, Any] | None = None, **_: Any) -> None:
    if headers is not None:
        headers.update(carried())


def _begin(task_id: str, task: Any, **_: Any) -> None:
    sent = {name: str(task.request.get(header) or "") for name, header in CARRIED.items()}
    request_id = request_id_of(sent["request_id"], task_id)
    stack = _open[task_id] = ExitStack()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    stack.enter_context(
        tracing.span(
            f"task {task.name}",
            kind=SpanKind.CONSUMER,
            traceparent=sent["traceparent"],
            tracestate=sent["tracestate"],
            request_id=request_id,
            correlation_id=request_id_of(sent["correlation_id"], request_id),
        )
    )


def _end(task_id: str, **_: Any) -> None:
    stack = _open.pop(task_id, None)
    if stack is not None:
        stack.close()
    structlog.contextvars.clear_contextvars()
