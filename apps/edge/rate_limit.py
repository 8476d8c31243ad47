"""Layer 4: how often a caller, its tenant, a route and a tenant's day may be used (SPEC 2.4).

A request counts once against each; the tightest limit is what the headers report. Who has no principal here (public
pages) is counted by address. Refused tokens are counted by apps/edge/refusals.py, because layer 3 answers them.
"""

from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLResolver, get_resolver

from apps.identity.principal import Principal
from apps.tenancy import rates
from apps.tenancy.config import RateLimits, TenantConfig
from apps.tenancy.resolver import tenant_config
from kernel.errors import UnavailableError
from kernel.rate_limit import limiter
from kernel.rate_limit.windows import MINUTE, Decision, Limit
from kernel.redis_keys import RATELIMIT_ADDRESS, RATELIMIT_ENDPOINT
from kernel.web.client_address import client_address, limited_address
from kernel.web.problem import problem_response

API_PREFIX = "/v1/"
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REMEMBERED_PATH_LENGTH = 200


class RateLimit:
    """429 when a limit is used up, before anything is looked up or read for the request. Sets request.rate_decision."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API_PREFIX) or request.path_info in settings.UNLIMITED_PATHS:
            return self.get_response(request)
        decision = _decide(request)
        request.rate_decision = decision  # type: ignore[attr-defined]
        response = self.get_response(request) if decision.allowed else problem_response(request, decision.error())
        return with_headers(response, decision)


def check_rate(principal: Principal, method: str, route_template: str | None, config: TenantConfig | None) -> Decision:
    """Count one request of this caller. ``route_template`` as in apps/identity/access.py; None: no such route.

    May wait for Redis: asynchronous code calls it in a thread. ``config`` None: the platform's defaults.
    """
    own = config.settings.rate_limits if config else RateLimits()
    limits = [
        rates.caller_limit(principal, own),
        rates.tenant_limit(principal, own),
        _endpoint(method, route_template, owner=rates.owner_of(principal)),
        *run_limits(principal, method, route_template),
        *rates.day_limits(principal, config),
    ]
    return limiter.take(limits)


def run_limits(principal: Principal, method: str, route_template: str | None) -> list[Limit]:
    """How many runs of agents the caller, and its tenant, may start: for requests that start one (contract 1.7)."""
    if f"{method} {route_template}" not in settings.RUN_STARTS:
        return []
    return [rates.caller_run_limit(principal), rates.tenant_run_limit(principal)]


def check_address(address: str) -> Decision:
    """Count one request of somebody who is not known: a refused token, or a page for everybody."""
    counted = RATELIMIT_ADDRESS(address=limited_address(address))
    return limiter.take([Limit("address", counted, rates.platform_limit(settings.RATE_LIMIT_ADDRESS), MINUTE)])


def route_of(path: str) -> str | None:
    """The template of the route that serves this path, ``/v1/jobs/<str:job_id>``; None when there is none."""
    find = _route if len(path) <= REMEMBERED_PATH_LENGTH else _route.__wrapped__
    return find(get_resolver(), path)


@lru_cache(maxsize=2048)
def _route(resolver: URLResolver, path: str) -> str | None:
    try:
        return f"/{resolver.resolve(path).route}"
    except Http404:
        return None


def address_of(request: HttpRequest) -> str:
    """The client's address: X-Forwarded-For counts only when a trusted proxy sent it."""
    return client_address(
        request.META.get("REMOTE_ADDR") or "",
        request.META.get("HTTP_X_FORWARDED_FOR", ""),
        settings.TRUSTED_PROXIES,
    )


def with_headers(response: HttpResponseBase, decision: Decision) -> HttpResponseBase:
    """The response, saying how much is left."""
    for name, value in decision.headers().items():
        response[name] = value
    return response


def _decide(request: HttpRequest) -> Decision:
    principal: Principal | None = getattr(request, "principal", None)
    if principal is None:
        return check_address(address_of(request))
    return check_rate(principal, request.method or "", route_of(request.path_info), _config(principal))


def _config(principal: Principal) -> TenantConfig | None:
    """None when it cannot be known: the platform's own limits hold, and layer 5 says what is wrong."""
    try:
        return tenant_config(principal.tenant_id)
    except (UnavailableError, DatabaseError):
        return None


def _endpoint(method: str, route_template: str | None, *, owner: str) -> Limit:
    """Of one tenant's callers together: nobody locks another tenant out of a route."""
    name = "GET" if method == "HEAD" else method if method in METHODS else "other"
    route = route_template or UNMATCHED
    per_minute = settings.RATE_LIMITS_BY_ROUTE.get(f"{name} {route}", settings.RATE_LIMIT_ROUTE)
    return Limit(
        "endpoint", RATELIMIT_ENDPOINT(method=name, path=route), rates.platform_limit(per_minute), MINUTE, owner=owner
    )
