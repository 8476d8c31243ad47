"""Agents: how runs are answered, in versions; the tenant's own, and the platform's to look at."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path

from apps.agents.definitions import schemas as agent_schemas
from apps.agents.definitions import services as agent_services
from apps.agents.definitions.selectors import Definition
from apps.agents.models import Agent, AgentVersion
from apps.backoffice import filters
from apps.backoffice.agent_forms import AgentForm
from apps.backoffice.llm_acts import NoSuchTenant, told_why
from apps.backoffice.llm_forms import DeleteForm
from apps.backoffice.llm_shown import SharedAdmin, badge, is_theirs, owner_named
from apps.backoffice.rights import AGENTS, Staff, require, staff_of
from apps.backoffice.site import site
from apps.identity.principal import Principal
from apps.identity.selectors import username_of
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

LIST = "/admin/agents/agent/"
VERSIONS_SHOWN = 20
EnabledFilter = filters.one_of("enabled", "enabled", ("true", "false"))
TenantFilter = filters.tenant_of("tenant_id")


class AgentAdmin(SharedAdmin):
    """The own tenant's, and the platform's to look at; for a platform administrator all."""

    right = AGENTS
    title = "Agents"
    search_fields = ("name",)
    search_help_text = "The beginning of a name"
    ordering = ("tenant_id", "name")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", "owner", "state", "version", "created_at", "updated_at")

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return (EnabledFilter, TenantFilter) if staff_of(request).is_platform else (EnabledFilter,)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.filter(name__startswith=search_term.strip()), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:agent_id>/act", view(self.act_view), name="agents_agent_act"),
            path("<uuid:agent_id>/remove", view(self.remove_view), name="agents_agent_remove"),
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        staff = require(request, AGENTS)
        form = AgentForm(request.POST or None, for_platform=staff.is_platform, is_new=True)
        if request.method == "POST" and form.is_valid() and (made := _create(staff, form)):
            messages.success(request, f"{made.agent.name} was added.")
            return HttpResponseRedirect(f"{LIST}{made.agent.pk}/change/")
        return site.show(request, "form.html", "New agent", form=form, back=LIST)

    @display(description="Version")
    def version(self, row: Agent) -> int:
        return row.version

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, AGENTS)
        row: Agent | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        with self.fence(request):
            versions = list(
                AgentVersion._base_manager.using(self.alias(request))
                .filter(agent_id=row.pk)
                .order_by("-version")[:VERSIONS_SHOWN]
            )
        theirs = is_theirs(staff, row)
        form = None
        if theirs and request.method == "POST":
            form = AgentForm(request.POST, for_platform=staff.is_platform, is_new=False)
            if form.is_valid() and _change(request, staff, row, form):
                return HttpResponseRedirect(request.path)
        elif theirs:
            form = AgentForm.of(Definition(row, versions[0]), for_platform=staff.is_platform)
        elif request.method == "POST":
            raise Http404
        return site.show(
            request,
            "form.html",
            f"Agent {row.name}",
            form=form,
            back=LIST,
            acts=[("disable", "Disable") if row.enabled else ("enable", "Enable")] if theirs else [],
            act_at=f"{LIST}{row.pk}/act",
            ways=[("Delete", f"{LIST}{row.pk}/remove")] if theirs else [],
            facts=[
                ("Id", row.pk),
                ("Whose", owner_named(row.tenant_id)),
                ("State", badge("enabled", "ok") if row.enabled else badge("disabled", "failed")),
                ("Version", row.version),
                ("Created", row.created_at),
                ("Changed", row.updated_at),
            ],
            history=[(_heading(version), _pretty(version)) for version in versions],
        )

    def act_view(self, request: HttpRequest, agent_id: UUID) -> HttpResponseBase:
        """Enable or disable it: a disabled one takes no new runs."""
        staff, row = self.theirs(request, agent_id)
        action = request.POST.get("action", "")
        if request.method != "POST" or action not in ("enable", "disable"):
            raise Http404
        try:
            agent_services.change_agent(row.pk, {}, enabled=action == "enable", by=_acting(staff, row))
        except PlatformError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, f"{row.name} is {action}d.")
        return HttpResponseRedirect(f"{LIST}{row.pk}/change/")

    def remove_view(self, request: HttpRequest, agent_id: UUID) -> HttpResponseBase:
        """Delete it with its versions, once its name was typed."""
        staff, row = self.theirs(request, agent_id)
        form = DeleteForm(request.POST or None, name=row.name)
        if request.method == "POST" and form.is_valid():
            try:
                agent_services.remove_agent(row.pk, by=_acting(staff, row), expected_version=row.version)
            except PlatformError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, f"{row.name} was deleted. Runs that it answered keep its definition.")
                return HttpResponseRedirect(LIST)
        back, title = f"{LIST}{row.pk}/change/", f"Delete the agent {row.name}"
        return site.show(request, "form.html", title, form=form, back=back, back_to="the agent", submit="Delete")


def _acting(staff: Staff, row: Agent) -> Principal:
    return staff.principal if row.tenant_id is None else staff.acting_in(row.tenant_id)


def _create(staff: Staff, form: AgentForm) -> Definition | None:
    slug = form.cleaned_data.get("tenant") if staff.is_platform else ""
    try:
        if staff.is_platform:
            tenant = tenant_by_slug(slug) if slug else None
            if slug and tenant is None:
                raise NoSuchTenant
            tenant_id = None if tenant is None else tenant.id
        else:
            tenant_id = staff.tenant_id
        body = form.new_agent()
        by = staff.principal if tenant_id is None else staff.acting_in(tenant_id)
        return agent_services.create_agent(tenant_id=tenant_id, name=body.name, fields=body.as_fields(), by=by)
    except PlatformError as error:
        form.add_error(None, told_why(error))
        return None


def _change(request: HttpRequest, staff: Staff, row: Agent, form: AgentForm) -> bool:
    try:
        changed = agent_services.change_agent(
            row.pk,
            form.change().as_fields(),
            by=_acting(staff, row),
            expected_version=form.cleaned_data["version"] or row.version,
        )
    except PlatformError as error:
        form.add_error(None, told_why(error))
        return False
    messages.success(request, f"{changed.agent.name} is at version {changed.agent.version}.")
    return True


def _heading(version: AgentVersion) -> str:
    by = (username_of(version.created_by) or version.created_by) if version.created_by else "the platform"
    return f"Version {version.version}, {version.created_at:%Y-%m-%d %H:%M}, by {by}"


def _pretty(version: AgentVersion) -> str:
    said = agent_schemas.definition_out(version)
    return json.dumps({name: said[name] for name in agent_services.DEFINED}, indent=2, ensure_ascii=False)


site.register(Agent, AgentAdmin)
