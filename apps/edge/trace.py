"""Every request has two names: one of its own, and one it shares with whatever it is part of. Logs carry both."""

import re
import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)


class TraceContext:
    """Sets request_id and correlation_id on the request, the log context and the response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = sane_id(request.headers.get("X-Request-Id")) or new_id()
        correlation_id = sane_id(request.headers.get("X-Correlation-Id")) or request_id
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


def sane_id(value: str | None) -> str | None:
    """The caller's id if it is short and plain enough for logs and headers, else None."""
    return value if value and _SANE.fullmatch(value) else None


def new_id() -> str:
    """32 hexadecimal digits, which also serve as a W3C trace id."""
    return secrets.token_hex(16)
