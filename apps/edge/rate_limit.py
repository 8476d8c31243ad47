"""Layer 4: how often a caller, its tenant, a route and a tenant's day may be used (SPEC 2.4).

A request counts once against each; the tightest limit is what the headers report. Who has no principal here (public
pages) is counted by address. Refused tokens are counted by apps/edge/refusals.py, because layer 3 answers them.
"""

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLResolver, get_resolver

from apps.identity.principal import Principal
from apps.tenancy.config import RateLimits, TenantConfig
from apps.tenancy.resolver import tenant_config
from kernel.errors import UnavailableError
from kernel.rate_limit import limiter
from kernel.rate_limit.windows import DAY, HOUR, MINUTE, Decision, Limit
from kernel.redis_keys import (
    RATELIMIT_ADDRESS,
    RATELIMIT_ENDPOINT,
    RATELIMIT_TENANT,
    RATELIMIT_TENANT_DAY,
    RATELIMIT_TENANT_RUNS,
    RATELIMIT_USER,
    RATELIMIT_USER_RUNS,
)
from kernel.web.client_address import client_address, limited_address
from kernel.web.problem import problem_response

API_PREFIX = "/v1/"
UNMATCHED = "unmatched"
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REMEMBERED_PATH_LENGTH = 200
_PLAIN_SUB = re.compile(r"[A-Za-z0-9._@|+=-]{1,128}", re.ASCII)


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
    tenant_id = principal.tenant_id
    limits = [
        Limit(
            "user",
            RATELIMIT_USER(sub=sub_part(principal.sub)),
            user_limit(principal, own),
            MINUTE,
            owner=tenant_id.hex[-12:] + ".",
        ),
        Limit(
            "tenant",
            RATELIMIT_TENANT(id=tenant_id),
            own.tenant_per_minute or platform_limit(settings.RATE_LIMIT_TENANT),
            MINUTE,
        ),
        _endpoint(method, route_template, owner=tenant_id.hex[-12:] + "."),
        *run_limits(principal, method, route_template),
    ]
    if config and config.settings.quotas.requests_per_day is not None:
        per_day = config.settings.quotas.requests_per_day
        limits.append(Limit("tenant-day", RATELIMIT_TENANT_DAY(id=tenant_id), per_day, DAY))
    return limiter.take(limits)


def run_limits(principal: Principal, method: str, route_template: str | None) -> list[Limit]:
    """How many runs of agents the caller, and its tenant, may start: for requests that start one (contract 1.7)."""
    if f"{method} {route_template}" not in settings.RUN_STARTS:
        return []
    tenant_id = principal.tenant_id
    return [
        Limit(
            "user-runs",
            RATELIMIT_USER_RUNS(sub=sub_part(principal.sub)),
            platform_limit(settings.RUNS_PER_MINUTE),
            MINUTE,
            owner=tenant_id.hex[-12:] + ".",
        ),
        Limit("tenant-runs", RATELIMIT_TENANT_RUNS(id=tenant_id), platform_limit(settings.RUNS_PER_TENANT_HOUR), HOUR),
    ]


def check_address(address: str) -> Decision:
    """Count one request of somebody who is not known: a refused token, or a page for everybody."""
    counted = RATELIMIT_ADDRESS(address=limited_address(address))
    return limiter.take([Limit("address", counted, platform_limit(settings.RATE_LIMIT_ADDRESS), MINUTE)])


def user_limit(principal: Principal, own: RateLimits) -> int:
    """Requests a minute: set for this caller, else for the tenant's callers, else the highest of the caller's roles."""
    if principal.sub in own.users:
        return own.users[principal.sub]
    by_role = settings.RATE_LIMITS_BY_ROLE
    of_roles = (by_role[role] for role in principal.roles if role in by_role)
    return own.user_per_minute or platform_limit(max(of_roles, default=settings.RATE_LIMIT_WITHOUT_ROLE))


def platform_limit(per_minute: int) -> int:
    """One of the platform's own limits, as this installation scales them."""
    return max(1, round(per_minute * settings.RATE_LIMIT_FACTOR))


def sub_part(sub: str) -> str:
    """The {sub} of ratelimit:user:{sub}: as it is when it is plain, else a digest, which no plain one can equal."""
    return sub if _PLAIN_SUB.fullmatch(sub) else "sha256:" + hashlib.sha256(sub.encode()).hexdigest()[:32]


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
        "endpoint", RATELIMIT_ENDPOINT(method=name, path=route), platform_limit(per_minute), MINUTE, owner=owner
    )
