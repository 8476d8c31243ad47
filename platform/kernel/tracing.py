"""Traces (SPEC 2.2): W3C trace context in and out, a span for every request, job and task.

A span is its ids until somebody wants more: making them costs 2 µs, a recorded span of the SDK 35 µs. ``set_up`` is
the one place where a tracer provider with an exporter takes over; the ids then come from its spans.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from kernel.request_context import RequestContext, request_context

KNOWN_FLAGS = 0x03  # sampled, random; a level of the standard that we do not know may have given others a meaning
_propagator = TraceContextTextMapPropagator()
_ids = RandomIdGenerator()
_tracers: list[Tracer] = []  # none, or the one that was set up


def set_up(provider: TracerProvider) -> None:
    """From now on spans are real, and go where ``provider`` sends them. Called once, when a process starts."""
    _tracers[:] = [provider.get_tracer("cineca")]


def parent_of(traceparent: str, tracestate: str = "") -> SpanContext | None:
    """The span that these headers name; None where they are missing or not valid."""
    if not traceparent:
        return None
    carrier = {"traceparent": traceparent, **({"tracestate": tracestate} if tracestate else {})}
    found = trace.get_current_span(_propagator.extract(carrier)).get_span_context()
    return found if found.is_valid else None


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind,
    traceparent: str = "",
    tracestate: str = "",
    linked: Sequence[str] = (),
    request_id: str = "",
    correlation_id: str = "",
    client_ip: str = "",
) -> Iterator[RequestContext]:
    """Everything inside is part of a new span, a child of ``traceparent`` or a root. ``linked``: more traceparents."""
    parent = parent_of(traceparent, tracestate)

    def context_of(own: SpanContext) -> RequestContext:
        return RequestContext(
            request_id=request_id,
            correlation_id=correlation_id,
            trace_id=f"{own.trace_id:032x}",
            span_id=f"{own.span_id:016x}",
            parent_id=f"{parent.span_id:016x}" if parent else "",
            trace_flags=f"{own.trace_flags & KNOWN_FLAGS:02x}",
            tracestate=own.trace_state.to_header(),
            client_ip=client_ip,
        )

    if not _tracers:
        context = context_of(_ids_only(parent))
        with request_context(context):
            yield context
        return
    links = [Link(found) for found in map(parent_of, linked) if found]
    under = trace.set_span_in_context(trace.NonRecordingSpan(parent)) if parent else trace.Context()
    with _tracers[0].start_as_current_span(name, context=under, kind=kind, links=links) as real:
        context = context_of(real.get_span_context())
        with request_context(context):
            yield context


def _ids_only(parent: SpanContext | None) -> SpanContext:
    if parent is None:
        return SpanContext(_ids.generate_trace_id(), _ids.generate_span_id(), False, trace.TraceFlags(1))
    return SpanContext(parent.trace_id, _ids.generate_span_id(), False, parent.trace_flags, parent.trace_state)
