"""Calls of tools to look at: who called what by which door, what it was given, what came of it. None changes here."""

from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.http import HttpRequest
from django.utils.html import format_html

from apps.backoffice import filters
from apps.backoffice.documents import listed
from apps.backoffice.live_rows import LiveRows
from apps.backoffice.rights import TOOL_APPROVALS, TOOL_CALLS, Staff, staff_of
from apps.backoffice.scoped_admin import BoundedList, list_without
from apps.backoffice.site import site
from apps.backoffice.tool_shown import effect_badge, tool_address
from apps.identity.selectors import username_of
from apps.tenancy import hiding
from apps.tools.context import DOORS
from apps.tools.models import INVOCATION_STATUSES, RUNNING, ToolInvocation
from kernel.clock import now

StatusFilter = filters.one_of("status", "status", INVOCATION_STATUSES)
ToolFilter = filters.typed_in("tool", "tool", "tool")
DoorFilter = filters.one_of("door", "door", DOORS)
OwnerFilter = filters.person("owner", "owner", "owner_sub")
RunFilter = filters.id_of("run", "run", "run_id")


class InvocationAdmin(LiveRows):
    """Every call of the tenant; for a platform administrator of all tenants."""

    right = TOOL_CALLS
    one = "call"
    title = "Calls of tools"
    at = "/admin/tools/toolinvocation/"
    columns = ("short_id", "live_status", "tool", "shown_effect", "door", "who", "created_at", "took", "code")
    narrowed_by = (StatusFilter, ToolFilter, DoorFilter, OwnerFilter, RunFilter)
    found_by = ("pk", "run_id", "job_id")
    search_help_text = "The id of a call, of its run or of its job, or its owner's name"
    live_template = "backoffice/tool_call_live.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedList]:
        return list_without("arguments", "result")

    @display(description="Call")
    def short_id(self, row: ToolInvocation) -> str:
        return str(row.pk)

    @display(description="Effect")
    def shown_effect(self, row: ToolInvocation) -> str:
        return effect_badge(row.effect)

    @display(description="Took")
    def took(self, row: ToolInvocation) -> str:
        return "" if row.duration_ms is None else f"{row.duration_ms:,.0f} ms"

    @display(description="Error")
    def code(self, row: ToolInvocation) -> str:
        return str(row.error.get("code", ""))[:100] if isinstance(row.error, dict) else ""

    def story(self, request: HttpRequest, row: ToolInvocation) -> dict[str, Any]:
        """Personal data is masked here whatever the tenant's own mode is: these are other people's calls."""
        is_lost = row.status == RUNNING and row.lost_at is not None and row.lost_at < now()
        parts = (("Arguments", row.arguments), ("Result", row.result), ("Error", row.error))
        return {
            "call": row,
            "ended": row.status != RUNNING or is_lost,
            "facts": _facts(staff_of(request), row, is_lost=is_lost),
            "documents": listed((title, _masked(row.tenant_id, part)) for title, part in parts),
        }


def _facts(staff: Staff, row: ToolInvocation, *, is_lost: bool) -> list[tuple[str, Any]]:
    owner, status = username_of(row.owner_sub), format_html('<span class="badge is-{0}">{0}</span>', row.status)
    approval = f"/admin/tools/toolapproval/{row.approval_id}/change/" if staff.may(TOOL_APPROVALS) else ""
    return [
        ("Status", format_html("{} its process died", status) if is_lost else status),
        ("Tool", format_html("{}, version {}", _link(tool_address(row.tool), row.tool), row.version)),
        ("Effect", effect_badge(row.effect)),
        ("Door", row.door),
        ("Owner", f"{row.owner_sub}, {owner}" if owner else row.owner_sub),
        ("Tenant", row.tenant),
        ("Called", row.created_at),
        ("Ended", row.finished_at or "not yet"),
        ("Took", "not known" if row.duration_ms is None else f"{row.duration_ms:,.1f} ms"),
        ("Run", _link(f"/admin/agents/agentrun/{row.run_id}/change/", row.run_id)),
        ("Session", _link(f"/admin/agents/session/{row.session_id}/change/", row.session_id)),
        ("Job", _link(f"/admin/jobs/job/{row.job_id}/change/", row.job_id)),
        ("Approval", _link(approval, row.approval_id)),
        ("Idempotency key", row.idempotency_key or "none"),
        ("Correlation id", row.correlation_id or "none"),
        ("SHA-256 of the arguments", row.request_hash),
    ]


def _link(address: str, shown: object) -> Any:
    if shown is None:
        return "none"
    return format_html('<a class="bo-link" href="{}">{}</a>', address, shown) if address else str(shown)


def _masked(tenant_id: UUID, document: Any) -> Any:
    return None if document is None else hiding.scrubber(tenant_id, "mask")(document)


site.register(ToolInvocation, InvocationAdmin)
