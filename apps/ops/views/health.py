"""/v1/health (SPEC 13; shapes of the contract's 1.6). No token is needed, and no answer holds a secret."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from apps.ops import probes
from kernel.clock import iso, now
from kernel.errors import NotFoundError
from kernel.web.problem import problem_response
from kernel.web.schema import json_response

NO_STORE = {"Cache-Control": "no-store"}


def _body(status: str, checks: dict[str, probes.Check]) -> dict[str, Any]:
    return {
        "service": settings.SERVICE_NAME,
        "version": settings.VERSION,
        "status": status,
        "time": iso(now()),
        "checks": {name: asdict(check) for name, check in checks.items()},
    }


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Never looks at a dependency: a shared fault would restart the whole fleet."""
    if request.method == "HEAD":
        return HttpResponse(status=204, headers=NO_STORE)
    return HttpResponse("ok", content_type="text/plain; charset=utf-8", headers=NO_STORE)


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """200 when requests can be served (ok, or degraded with an optional part down), else 503."""
    checks = probes.check(list(probes.PROBES))
    status = probes.overall(checks)
    return json_response(_body(status, checks), status=503 if status == "down" else 200, headers=NO_STORE)


@require_safe
def startup(request: HttpRequest) -> HttpResponse:
    """200 once PostgreSQL answers and its tables are there."""
    checks = probes.check(["app", "postgres"])
    status = probes.overall(checks)
    return json_response(_body(status, checks), status=503 if status == "down" else 200, headers=NO_STORE)


@require_safe
def components(request: HttpRequest) -> HttpResponse:
    """Every part and its state; always 200."""
    checks = probes.check(list(probes.PROBES))
    return json_response(_body(probes.overall(checks), checks), headers=NO_STORE)


@require_safe
def component(request: HttpRequest, name: str) -> HttpResponse:
    """One part; always 200 for one that exists."""
    canonical = probes.ALIASES.get(name, name)
    if canonical not in probes.PROBES:
        known = ", ".join(probes.PROBES)
        return problem_response(request, NotFoundError(f"There is no component of that name. Known: {known}."))
    check = probes.check([canonical])[canonical]
    return json_response({"name": name, **asdict(check), "time": iso(now())}, headers=NO_STORE)
