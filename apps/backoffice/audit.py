"""The audit log to look at: filters, one row with its place in the chain, and nothing that could change it."""

import json
from typing import Any

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.html import format_html

from apps.audit.models import PLATFORM_CHAIN, AuditLog
from apps.backoffice import filters
from apps.backoffice.rights import AUDIT, require, staff_of
from apps.backoffice.scoped_admin import ScopedAdmin
from apps.backoffice.site import site
from apps.identity.standing import slug_of

OUTCOMES = ("success", "denied", "failed")
OutcomeFilter = filters.one_of("outcome", "outcome", OUTCOMES)
ActionFilter = filters.typed_in("action", "action, or its beginning", "action__startswith")
ActorFilter = filters.person("actor", "actor", "actor")
ResourceFilter = filters.typed_in("resource", "resource id", "resource_id")
CorrelationFilter = filters.typed_in("correlation", "correlation id", "correlation_id")
TenantFilter = filters.tenant_of("tenant_id")


class AuditAdmin(ScopedAdmin):
    """Read-only for everybody, by the database's own trigger too."""

    right = AUDIT
    person = "actor"
    search_fields = ("action",)
    search_help_text = "The beginning of an action: admin., access.refused"
    ordering = ("-created_at", "-seq")
    sortable_by = ()
    actions = ()

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("created_at", "action", "how", "who", "resource_type", "resource_id")
        return (*shown, "chain") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (OutcomeFilter, ActionFilter, ActorFilter, ResourceFilter, CorrelationFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return queryset.filter(action__startswith=search_term.strip()), False

    @display(description="Outcome")
    def how(self, row: AuditLog) -> str:
        return format_html('<span class="badge is-{0}">{0}</span>', row.outcome)

    @display(description="Chain")
    def chain(self, row: AuditLog) -> str:
        return "platform" if row.tenant_id == PLATFORM_CHAIN else slug_of(row.tenant_id) or str(row.tenant_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        require(request, AUDIT)
        row = self.get_object(request, object_id)
        if row is None or request.method not in ("GET", "HEAD"):
            raise Http404
        return site.show(
            request,
            "form.html",
            f"Audit: {row.action}",
            back="/admin/audit/auditlog/",
            facts=[
                ("When", row.created_at),
                ("Who", row.actor),
                ("Of tenant", slug_of(row.actor_tenant_id) if row.actor_tenant_id else "the same"),
                ("Outcome", row.outcome),
                ("On", f"{row.resource_type} {row.resource_id}".strip() or "nothing in particular"),
                ("Chain", f"{self.chain(row)}, row {row.seq}"),
                ("Request", row.request_id or "none"),
                ("Correlation", row.correlation_id or "none"),
                ("Trace", row.trace_id or "none"),
                ("From address", row.client_ip or "unknown"),
                ("Hash", bytes(row.hash).hex()),
                ("Hash of the row before", bytes(row.prev_hash).hex()),
            ],
            documents=[
                ("Details", json.dumps(row.details, indent=2, ensure_ascii=False)),
                *([("Error", row.error_message)] if row.error_message else []),
            ],
        )


site.register(AuditLog, AuditAdmin)
