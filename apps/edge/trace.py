"""Layer 2: every request has a name, a name it shares with whatever it is part of, and a span of a W3C trace.

Logs, errors, audit rows, jobs and tasks take them from kernel.request_context.
"""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry.trace import SpanKind

from kernel import tracing
from kernel.ids import request_id_of
from kernel.request_context import RequestContext, enter
from kernel.web.client_address import client_address


class TraceContext:
    """Sets request_id, correlation_id and trace_id on the request; names and traceparent on the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.META
        request_id = request_id_of(sent.get("HTTP_X_REQUEST_ID"))
        structlog.contextvars.clear_contextvars()  # a server's thread may still hold the last request's
        with tracing.span(
            f"HTTP {request.method}",
            kind=SpanKind.SERVER,
            traceparent=sent.get("HTTP_TRACEPARENT", ""),
            tracestate=sent.get("HTTP_TRACESTATE", ""),
            request_id=request_id,
            correlation_id=request_id_of(sent.get("HTTP_X_CORRELATION_ID"), request_id),
            client_ip=client_address(
                sent.get("REMOTE_ADDR", ""), sent.get("HTTP_X_FORWARDED_FOR", ""), settings.TRUSTED_PROXIES
            ),
        ) as context:
            request.request_id, request.correlation_id = request_id, context.correlation_id  # type: ignore[attr-defined]
            request.trace_id = context.trace_id  # type: ignore[attr-defined]
            response = self.get_response(request)
        enter(context)  # layers 7 and 8 lie outside of this one and still speak of this request
        for name, value in response_headers(context).items():
            response[name] = value
        return response


def response_headers(context: RequestContext) -> dict[str, str]:
    """What every answer says of the request it belongs to."""
    headers = {
        "X-Request-Id": context.request_id,
        "X-Correlation-Id": context.correlation_id,
        "traceparent": context.traceparent,
    }
    if context.tracestate:
        headers["tracestate"] = context.tracestate
    return headers
