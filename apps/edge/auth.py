"""Layer 3: bearer token -> request.principal, and the route's need from apps/identity/access.py against it.

No cookie authenticates here. Who calls is found out before the route is, so that the layers between know it; what the
route needs is asked in `process_view`, before any body is read. Every 401 and 403 leaves a line in the audit log.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from rest_framework.exceptions import MethodNotAllowed

from apps.audit import trail
from apps.identity import rbac
from apps.identity.access import OUTSIDE, PUBLIC, ROUTES, SIGNED_IN, is_public_path, need
from apps.identity.bearer import bearer_token
from apps.identity.principal import Principal
from apps.identity.tokens import TokenRefusedError, verify
from kernel.errors import ForbiddenError, PlatformError
from kernel.web.problem import MEDIA_TYPE, as_platform_error, problem_response

log = structlog.get_logger("edge")
API_PREFIX = "/v1/"
UNMATCHED = "unmatched"
TOKEN_PARAMETERS = frozenset({"access_token", "token"})  # addresses end up in logs and histories
# Public, but they say more to `request.onlooker`, who is no principal: no limit or tenant may keep a probe from its
# answer. Liveness is not among them: it waits for nothing.
SAY_MORE = ("/v1/health/ready", "/v1/health/startup", "/v1/health/components")


class BearerAuth:
    """401 unless the token is good, 403 unless it may; public routes do not wait for a look at it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.principal = None  # type: ignore[attr-defined]
        if not is_guarded(request.path_info):
            return self.get_response(request)
        try:
            request.principal = identify(request)  # type: ignore[attr-defined]
        except PlatformError as problem:
            response: HttpResponseBase = problem_response(request, problem)
            reason = problem.reason if isinstance(problem, TokenRefusedError) else problem.code
        else:
            response = self.get_response(request)
            reason = ""
        if response.status_code in (401, 403):
            _note(request, response, reason)
        return response

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponse | None:
        """Django calls it once the route is known."""
        assert request.resolver_match is not None
        route = "/" + request.resolver_match.route
        if route.startswith(OUTSIDE) or f"{route}/" in OUTSIDE:
            return None
        try:
            authorise(getattr(request, "principal", None), request.method or "", route)
        except MethodNotAllowed as error:
            problem = as_platform_error(error)
            assert problem is not None
            response = problem_response(request, problem)
            response["Allow"] = ", ".join(allowed_methods(route))
            return response
        except PlatformError as problem:
            return problem_response(request, problem)
        return None


def is_guarded(path: str) -> bool:
    """Whether the table speaks for this path: all of /v1/, and what else stands in it."""
    return path.startswith(API_PREFIX) or path in ROUTES


def identify(request: HttpRequest) -> Principal | None:
    """The caller; None on a public route. TokenRefusedError without a good token on any other."""
    header = request.META.get("HTTP_AUTHORIZATION")
    if is_public_path(request.path_info, request.method or ""):
        if header and request.path_info.startswith(SAY_MORE):
            with suppress(PlatformError):
                request.onlooker = verify(bearer_token(header))  # type: ignore[attr-defined]
        return None
    if not TOKEN_PARAMETERS.isdisjoint(request.GET):
        raise TokenRefusedError("a token in the query string")
    principal = verify(bearer_token(header))
    structlog.contextvars.bind_contextvars(tenant_id=str(principal.tenant_id))
    return principal


def authorise(principal: Principal | None, method: str, route: str) -> None:
    """ForbiddenError or TokenRefusedError unless the caller may; MethodNotAllowed for a method nobody may use."""
    if route not in ROUTES:
        log.error("access_undeclared", route=route, method=method)
        raise ForbiddenError("Nobody has declared who may use this route.", code="access_undeclared")
    if method == "OPTIONS":
        needed: str | None = PUBLIC if PUBLIC in ROUTES[route].values() else SIGNED_IN
    else:
        needed = need(route, method)
    if needed is None:
        raise MethodNotAllowed(method)
    if needed == PUBLIC:
        return
    if principal is None:
        raise TokenRefusedError("no principal")
    if needed != SIGNED_IN:
        rbac.require(principal, needed)


def allowed_methods(route: str) -> list[str]:
    """What the Allow header names."""
    methods = list(ROUTES[route])
    return methods + (["HEAD"] if "GET" in methods else []) + ["OPTIONS"]


def note_refusal(
    principal: Principal | None, *, status: int, reason: str, method: str, route: str, **more: Any
) -> None:
    """One audit line about a 401 or 403. ``reason`` is a class of reasons, never a token or what it held."""
    trail.note(
        tenant_id=None if principal is None else principal.own_tenant_id,
        actor="anonymous" if principal is None else principal.sub,
        action="auth.refused" if status == 401 else "access.refused",
        resource_type="route",
        resource_id=route,
        outcome=trail.DENIED,
        details={"reason": reason, "method": method, "route": route, **more},
    )


def _note(request: HttpRequest, response: HttpResponseBase, reason: str) -> None:
    body: dict[str, Any] = {}
    if isinstance(response, HttpResponse) and response.get("Content-Type", "").startswith(MEDIA_TYPE):
        body = json.loads(response.content)
    needed = body.get("extensions", {}).get("required_permission")
    log.info("token_refused" if response.status_code == 401 else "access_refused", reason=reason or body.get("code"))
    note_refusal(
        getattr(request, "principal", None),
        status=response.status_code,
        reason=reason or str(body.get("code", "")),
        method=(request.method or "")[:16],
        route=_route(request),
        **({"required_permission": needed} if needed else {}),
    )


def _route(request: HttpRequest) -> str:
    """The route's template: raw paths would let a caller write what it likes into the log."""
    try:
        match = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return UNMATCHED
    return "/" + match.route
