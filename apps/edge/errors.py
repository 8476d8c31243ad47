"""The outermost layer: whatever nobody caught becomes problem+json, without a word about the inside."""

import sys
from collections.abc import Callable

import structlog
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed

from kernel import errors
from kernel.web.problem import as_platform_error, problem_response

log = structlog.get_logger("edge")
API_PREFIX = "/v1/"
DROPPED_HEADERS = frozenset({"Content-Type", "Content-Length", "Content-Language"})

_BY_STATUS: dict[int, errors.PlatformError] = {
    400: errors.BadRequestError("The request cannot be understood."),
    403: errors.ForbiddenError("Forbidden: missing permission"),
    404: errors.NotFoundError("There is nothing here. See /v1/docs for the routes."),
    413: errors.PayloadTooLargeError("The request is too large."),
}


class ErrorHandler:
    """Errors of views arrive at `process_exception`; those of inner layers at the handlers below, through urls.py."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if response.status_code >= 400 and is_page and request.path_info.startswith(API_PREFIX):
            # Django's own page for an error that no view of ours made.
            error = _BY_STATUS.get(response.status_code)
            if response.status_code == 405:
                error = as_platform_error(MethodNotAllowed(request.method or ""))
            problem = problem_response(request, error or errors.PlatformError())
            for name in set(response.headers) - DROPPED_HEADERS:
                problem[name] = response[name]
            return problem
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        return respond(request, error)


def respond(request: HttpRequest, error: BaseException) -> HttpResponse:
    """The answer to an uncaught error; logged once when nobody foresaw it."""
    problem = as_platform_error(error) or _of_django(error)
    if problem is None:
        log.error("unhandled_error", path=request.path, method=request.method, exc_info=error)
        problem = errors.PlatformError("An unexpected error happened. Quote the correlation id when you report it.")
    elif problem.http_status >= 500:
        log.warning("request_failed", code=problem.code, error=type(error).__name__, detail=str(error)[:500])
    return problem_response(request, problem)


def bad_request(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """handler400."""
    return respond(request, exception)


def forbidden(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """handler403."""
    return respond(request, exception)


def not_found(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """handler404."""
    return problem_response(request, _BY_STATUS[404])


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500. Django calls it while the error is being handled."""
    return respond(request, sys.exc_info()[1] or RuntimeError("handler500 without an error"))


def _of_django(error: BaseException) -> errors.PlatformError | None:
    if isinstance(error, RequestDataTooBig):
        return _BY_STATUS[413]
    if isinstance(error, SuspiciousOperation | BadRequest):
        return _BY_STATUS[400]
    return None
