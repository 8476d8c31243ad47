"""Every request has two names: one of its own, and one it shares with whatever it is part of. Logs carry both."""

import re
from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from kernel.ids import request_id_of

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)


class TraceContext:
    """Sets request_id and correlation_id on the request, the log context and the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = request_id_of(request.headers.get("X-Request-Id"))
        correlation_id = request_id_of(request.headers.get("X-Correlation-Id"), request_id)
        request.request_id, request.correlation_id = request_id, correlation_id  # type: ignore[attr-defined]
        context = {"request_id": request_id, "correlation_id": correlation_id}
        if trace := _TRACEPARENT.fullmatch(request.headers.get("traceparent", "")):
            context["trace_id"] = trace[1]
        structlog.contextvars.clear_contextvars()  # a server's thread may still hold the last request's
        structlog.contextvars.bind_contextvars(**context)
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        response["X-Correlation-Id"] = correlation_id
        return response
