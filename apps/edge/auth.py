"""Bearer token -> request.principal, for everything under /v1/ that is not public. No cookie authenticates here."""

from collections.abc import Callable
from contextlib import suppress

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.identity.bearer import bearer_token
from apps.identity.tokens import TokenRefusedError, verify
from kernel.errors import PlatformError
from kernel.web.problem import problem_response

log = structlog.get_logger("edge")
API_PREFIX = "/v1/"
PUBLIC_PATHS = frozenset({"/v1/", "/v1/health", "/v1/docs", "/v1/openapi.json"})
PUBLIC_PREFIXES = ("/v1/health/", "/v1/docs/")
DETAILED_PREFIX = "/v1/health/components"  # public, but says more to those who may know more


class BearerAuth:
    """401 unless the token is good. Public paths do not look at it, so that health never waits for a dependency."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.principal = None  # type: ignore[attr-defined]
        if request.path_info.startswith(API_PREFIX):
            try:
                self._identify(request)
            except PlatformError as problem:
                if isinstance(problem, TokenRefusedError):
                    log.info("token_refused", reason=problem.reason, path=request.path[:200])
                return problem_response(request, problem)
        return self.get_response(request)

    def _identify(self, request: HttpRequest) -> None:
        if "access_token" in request.GET:
            raise TokenRefusedError("a token in the query string")
        header = request.META.get("HTTP_AUTHORIZATION")
        if is_public(request.path_info):
            if header and request.path_info.startswith(DETAILED_PREFIX):
                with suppress(PlatformError):
                    request.principal = verify(bearer_token(header))  # type: ignore[attr-defined]
            return
        principal = verify(bearer_token(header))
        request.principal = principal  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(tenant_id=str(principal.tenant_id))


def is_public(path: str) -> bool:
    """Whether the path answers without a token: what it is, how it is, and its documentation."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES)
