"""Errors as application/problem+json (RFC 9457), one shape for every layer: see docs/reference/errors.md."""

import math
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from pydantic_core import to_json
from rest_framework import exceptions as drf

from kernel import errors
from kernel.clock import iso, now
from kernel.outages import outage

log = structlog.get_logger("problem")
MEDIA_TYPE = "application/problem+json"


def problem_body(
    error: errors.PlatformError, *, instance: str, request_id: str, correlation_id: str, trace_id: str
) -> dict[str, Any]:
    """The body of RFC 9457 plus what the predecessor's clients read: code, extensions, errors."""
    body: dict[str, Any] = {
        "type": "about:blank" if error.http_status != 422 else "urn:cineca:problem:validation_error",
        "title": error.title,
        "status": error.http_status,
        "detail": error.detail,
        "instance": instance,
        "code": error.code,
        "request_id": request_id,
        "correlation_id": correlation_id,
        "trace_id": trace_id,
        "extensions": {
            "correlation_id": correlation_id,
            "trace_id": trace_id,
            "timestamp": iso(now()),
            "error_code": error.code,
            **error.extra,
        },
    }
    if error.errors is not None:
        body["errors"] = error.errors
    return body


def problem_headers(error: errors.PlatformError) -> dict[str, str]:
    """Retry-After where a later try may succeed, WWW-Authenticate on 401."""
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_s is not None or error.http_status == 503:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s or 1)))
    if error.http_status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="cineca", error="invalid_token"'
    return headers


def problem_response(request: HttpRequest, error: errors.PlatformError) -> HttpResponse:
    """The error as Django's response."""
    request_id = getattr(request, "request_id", "")
    body = problem_body(
        error,
        instance=request.path,
        request_id=request_id,
        correlation_id=getattr(request, "correlation_id", "") or request_id,
        trace_id=getattr(request, "trace_id", ""),
    )
    return HttpResponse(
        to_json(body), status=error.http_status, content_type=MEDIA_TYPE, headers=problem_headers(error)
    )


def as_platform_error(error: BaseException) -> errors.PlatformError | None:
    """The child of PlatformError that stands for a framework's exception; None for one nobody foresaw."""
    if isinstance(error, errors.PlatformError):
        return error
    if isinstance(error, Http404 | drf.NotFound):
        return errors.NotFoundError("There is nothing here. See /v1/docs for the routes.")
    if isinstance(error, PermissionDenied | drf.PermissionDenied):
        return errors.ForbiddenError("Forbidden: missing permission")
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return errors.UnauthenticatedError("Invalid or missing token")
    if isinstance(error, drf.ParseError):
        return errors.BadRequestError("The body is not valid JSON.", code="invalid_json")
    if isinstance(error, drf.UnsupportedMediaType):
        return errors.UnsupportedMediaTypeError("Send the body as application/json.")
    if isinstance(error, drf.NotAcceptable):
        return errors.NotAcceptableError("This resource can only be shown as application/json.")
    if isinstance(error, drf.MethodNotAllowed):
        problem = errors.PlatformError(f"{error.detail}", code="method_not_allowed")
        problem.http_status, problem.title = 405, HTTPStatus(405).phrase
        return problem
    return outage(error)


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's EXCEPTION_HANDLER. None lets the error rise to apps.edge.errors."""
    problem = as_platform_error(error)
    if problem is None:
        return None
    if problem.http_status >= 500:
        log.warning("request_failed", code=problem.code, error=type(error).__name__, detail=str(error)[:500])
    request = context["request"]
    response = problem_response(getattr(request, "_request", request), problem)
    if isinstance(error, drf.MethodNotAllowed):
        response["Allow"] = ", ".join(context["view"].allowed_methods)
    return response
