"""The first page: what the jobs do, and for platform administrators how the platform's parts are."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F
from django.http import HttpRequest
from django.template.response import TemplateResponse

from apps.backoffice.reading import alias_for
from apps.backoffice.rights import JOBS, TOOL_APPROVALS, Staff, staff_of
from apps.backoffice.site import site
from apps.backoffice.tool_approvals import WAITING as AWAITS
from apps.backoffice.tool_manifests import may_change
from apps.jobs.models import Job
from apps.jobs.states import STATUSES
from apps.jobs.types import JOB_TYPES
from apps.ops import probes, queues
from apps.tools.models import ToolApproval, ToolManifest
from kernel.clock import now

WINDOW = timedelta(hours=24)


@site.front
def overview(request: HttpRequest) -> TemplateResponse:
    """Counts of what the person may see; the platform's state only for whom all of it belongs to."""
    staff = staff_of(request)
    context: dict[str, Any] = {"links": _links(is_platform=staff.is_platform), "counts": None, "components": None}
    if staff.may(JOBS):
        jobs = Job._base_manager.using(alias_for(staff))
        recent = jobs.filter(created_at__gt=now() - WINDOW).order_by().values_list("status").annotate(n=Count("*"))
        by_status = dict(recent)
        context["counts"] = [(status, by_status.get(status, 0)) for status in STATUSES]
        context["dead_letters"] = jobs.filter(dead_lettered_at__isnull=False).count()
    context["waiting"] = _waiting(staff)
    if staff.is_platform:
        checks = probes.check(list(probes.PROBES))
        context["components"] = sorted(checks.items())
        context["workers"] = checks["workers"].details
        context["queues"] = _queue_depths()
    return site.show(request, "overview.html", "Overview", **context)


def _waiting(staff: Staff) -> list[tuple[str, str, int]]:
    """(what, where, how many) of what waits for a decision of this person."""
    waiting = []
    if staff.may(TOOL_APPROVALS):
        asked = ToolApproval._base_manager.using(alias_for(staff)).filter(AWAITS)
        waiting.append(("calls of tools", "/admin/tools/toolapproval/?state=pending", asked.count()))
    if may_change(staff):
        declared = ToolManifest._base_manager.using(alias_for(staff)).filter(is_declared=True)
        changed = declared.exclude(approved_fingerprint=F("fingerprint")).count()
        waiting.append(("new or changed tools", "/admin/tools/toolmanifest/?state=waiting", changed))
    return waiting


def _queue_depths() -> list[tuple[str, int]]:
    """(job type, ids waiting), both priorities together; nothing while Redis is away."""
    found = queues.depths()
    if found is None:
        return []
    return [(name, found.jobs[name, "high"] + found.jobs[name, "normal"]) for name in JOB_TYPES]


def _links(*, is_platform: bool) -> list[tuple[str, str]]:
    links = [("API documentation", "/v1/docs")]
    if is_platform and settings.FLOWER_URL:
        links.append(("Flower", settings.FLOWER_URL))
    return links
