"""/v1/health (SPEC 13; shapes of the contract's 1.6). Public; a token with `system:status` brings details."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.identity.rbac import may
from apps.ops import probes
from apps.ops.schemas import ComponentOut, HealthOut
from kernel.clock import iso, now
from kernel.errors import NotFoundError
from kernel.web.api import PublicView
from kernel.web.schema import json_response

NO_STORE = {"Cache-Control": "no-store"}


def _shown(request: HttpRequest, check: probes.Check) -> dict[str, Any]:
    """The state for everybody; how long it took and what was found out for callers who may read the platform."""
    onlooker = getattr(request, "onlooker", None)
    if onlooker is not None and may(onlooker, "platform:read"):
        return asdict(check)
    return {"ok": check.ok, "status": check.status, "latency_ms": None, "details": {}}


def _answer(request: Request, parts: list[str], *, may_be_down: bool = True) -> HttpResponse:
    checks = probes.check(parts)
    status = probes.overall(checks)
    body = {
        "service": settings.SERVICE_NAME,
        "version": settings.VERSION,
        "status": status,
        "time": iso(now()),
        "checks": {name: _shown(request._request, check) for name, check in checks.items()},
    }
    return json_response(body, status=503 if status == "down" and may_be_down else 200, headers=NO_STORE)


class Live(PublicView):
    """The process answers. Never looks at a dependency: a shared fault would restart the whole fleet."""

    @extend_schema(
        operation_id="health_live",
        summary="Does the process answer",
        responses={(200, "text/plain"): OpenApiTypes.STR},
        tags=["health"],
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse("ok", content_type="text/plain; charset=utf-8", headers=NO_STORE)

    @extend_schema(exclude=True)
    def head(self, request: Request) -> HttpResponse:
        return HttpResponse(status=204, headers=NO_STORE)


class Ready(PublicView):
    """200 when requests can be served (ok, or degraded with an optional part down), else 503."""

    @extend_schema(
        operation_id="health_ready",
        summary="Can requests be served",
        responses={200: HealthOut, 503: HealthOut},
        tags=["health"],
    )
    def get(self, request: Request) -> HttpResponse:
        return _answer(request, list(probes.PROBES))


class Startup(PublicView):
    """200 once PostgreSQL answers and its tables are there."""

    @extend_schema(
        operation_id="health_startup",
        summary="Has the platform started",
        responses={200: HealthOut, 503: HealthOut},
        tags=["health"],
    )
    def get(self, request: Request) -> HttpResponse:
        return _answer(request, ["app", "postgres"])


class Components(PublicView):
    """Every part and its state; always 200."""

    @extend_schema(
        operation_id="health_components", summary="The state of every part", responses=HealthOut, tags=["health"]
    )
    def get(self, request: Request) -> HttpResponse:
        return _answer(request, list(probes.PROBES), may_be_down=False)


class Component(PublicView):
    """One part; always 200 for one that exists."""

    @extend_schema(
        operation_id="health_component", summary="The state of one part", responses=ComponentOut, tags=["health"]
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        canonical = probes.ALIASES.get(name, name)
        if canonical not in probes.PROBES:
            raise NotFoundError(f"There is no component of that name. Known: {', '.join(probes.PROBES)}.")
        check = probes.check([canonical])[canonical]
        body = {"name": name, **_shown(request._request, check), "time": iso(now())}
        return json_response(body, headers=NO_STORE)
