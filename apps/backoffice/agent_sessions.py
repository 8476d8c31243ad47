"""Conversations with agents: who has which open, what was said, and an end to one."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.agents.models import Session, SessionStep
from apps.agents.sessions import services
from apps.agents.states import ACTIVE, SESSION_STATUSES
from apps.backoffice import filters
from apps.backoffice.reading import alias_for
from apps.backoffice.rights import AGENT_SESSIONS, require, staff_of
from apps.backoffice.scoped_admin import ScopedAdmin
from apps.backoffice.site import site
from apps.backoffice.told import tell

STEPS_SHOWN = 50
LIST = "/admin/agents/session/"
StatusFilter = filters.one_of("status", "status", SESSION_STATUSES)
OwnerFilter = filters.person("owner", "owner", "owner_sub")
TenantFilter = filters.tenant_of("tenant_id")


class AgentSessionAdmin(ScopedAdmin):
    """Sessions of the tenant's people."""

    right = AGENT_SESSIONS
    person = "owner_sub"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ()

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("short_id", "state", "who", "title", "created_at", "expires_at")
        return (*shown, "tenant") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (StatusFilter, OwnerFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("tenant")

    @display(description="Session")
    def short_id(self, session: Session) -> str:
        return str(session.pk)

    @display(description="Status")
    def state(self, session: Session) -> str:
        return format_html('<span class="badge is-{0}">{0}</span>', session.status)

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:session_id>/act", self.admin_site.admin_view(self.act_view), name="agents_session_act")
        return [act, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, AGENT_SESSIONS)
        session = self.get_object(request, object_id)
        if session is None or request.method not in ("GET", "HEAD"):
            raise Http404
        steps = SessionStep._base_manager.using(alias_for(staff)).filter(session_id=session.pk).order_by("-seq")
        return site.show(
            request,
            "form.html",
            f"Session {session.pk}",
            back=LIST,
            acts=[("cancel", "End the session")] if session.status == ACTIVE else [],
            act_at=f"{LIST}{session.pk}/act",
            facts=[
                ("Status", session.status),
                ("Owner", session.owner_sub),
                ("Tenant", session.tenant),
                ("Title", session.title or "none"),
                ("Steps", session.last_step_seq),
                ("Created", session.created_at),
                ("Ends by itself", session.expires_at),
            ],
            documents=[(f"{step.seq} {step.type}", _told(step)) for step in steps[:STEPS_SHOWN]],
        )

    def act_view(self, request: HttpRequest, session_id: UUID) -> HttpResponseBase:
        """End the session."""
        staff = require(request, AGENT_SESSIONS)
        session = self.get_object(request, str(session_id))
        if session is None or request.method != "POST" or request.POST.get("action") != "cancel":
            raise Http404
        services.cancel_session(staff.overseeing(session.tenant_id), session.pk)
        tell(staff, "session_cancel", tenant_id=session.tenant_id, resource_type="session", resource_id=session.pk,
             owner=session.owner_sub)  # fmt: skip
        messages.success(request, "The session has ended.")
        return HttpResponseRedirect(f"{LIST}{session.pk}/change/")


def _told(step: SessionStep) -> str:
    said = {"message": step.message, "tool": step.tool, "input": step.input, "output": step.output, "error": step.error}
    return json.dumps({name: value for name, value in said.items() if value is not None}, indent=2, ensure_ascii=False)


site.register(Session, AgentSessionAdmin)
