"""What tenants may do with tools: each sets its own, within what holds for all."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.backoffice import filters
from apps.backoffice.llm_acts import NoSuchTenant, told_why
from apps.backoffice.llm_shown import SharedAdmin, badge, owner_named
from apps.backoffice.rights import TOOLS_SET, Staff, require, staff_of
from apps.backoffice.site import site
from apps.backoffice.tool_forms import PolicyForm
from apps.backoffice.tool_shown import history, rate_text, tool_address
from apps.identity.principal import Principal
from apps.identity.selectors import username_of
from apps.tenancy.selectors import tenant_by_slug
from apps.tools.models import ToolManifest, ToolPolicy
from apps.tools.policies import remove_policy, set_policy
from kernel import engine_db
from kernel.errors import PlatformError

LIST = "/admin/tools/toolpolicy/"
ToolFilter = filters.typed_in("tool", "tool", "tool")
TenantFilter = filters.tenant_of("tenant_id")


class PolicyAdmin(SharedAdmin):
    """The own tenant's; for a platform administrator every tenant's."""

    right = TOOLS_SET
    title = "What tenants may do with tools"
    ordering = ("tool", "tenant_id")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("tool", "switch", "rate", "approves", "scopes", "by_whom", "updated_at")
        return (shown[0], "owner", *shown[1:]) if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return (ToolFilter, TenantFilter) if staff_of(request).is_platform else (ToolFilter,)

    @display(description="Switch")
    def switch(self, row: ToolPolicy) -> str:
        return badge("off for the tenant", "failed") if row.enabled is False else "as for all"

    @display(description="Calls of one caller")
    def rate(self, row: ToolPolicy) -> str:
        return rate_text(row.rate_requests, row.rate_window_s) or "as for all"

    @display(description="Approval")
    def approves(self, row: ToolPolicy) -> str:
        return row.approval or "as for all"

    @display(description="Further scopes")
    def scopes(self, row: ToolPolicy) -> str:
        return ", ".join(row.extra_scopes) or "none"

    @display(description="Set by")
    def by_whom(self, row: ToolPolicy) -> str:
        return username_of(row.updated_by) or row.updated_by

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:policy_id>/act", self.admin_site.admin_view(self.act_view), name="tools_toolpolicy_act")
        return [act, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        staff = require(request, TOOLS_SET)
        initial = {"tool": request.GET.get("tool", ""), "tenant": staff.tenant_slug}
        declared = ToolManifest._base_manager.using(engine_db.ALIAS).filter(is_declared=True).order_by("name")
        tools = list(declared.values_list("name", flat=True))
        form = PolicyForm(request.POST or None, initial=initial, tools=tools, for_platform=staff.is_platform)
        if request.method == "POST" and form.is_valid() and (made := _set(staff, form.cleaned_data["tool"], form)):
            messages.success(request, f"The policy for {made.tool} holds everywhere within three seconds.")
            return HttpResponseRedirect(f"{LIST}{made.pk}/change/")
        intro = "It comes on top of what holds for all tenants, and can only be stricter."
        return site.show(request, "form.html", "New policy", form=form, back=LIST, intro=intro)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, TOOLS_SET)
        row: ToolPolicy | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if request.method == "POST":
            form = PolicyForm(request.POST)
            if form.is_valid() and _set(staff, row.tool, form, row):
                messages.success(request, f"The policy for {row.tool} holds everywhere within three seconds.")
                return HttpResponseRedirect(request.path)
        else:
            form = PolicyForm.of(row)
        with self.fence(request):
            told = history(self.alias(request), "tool_policy", row.tool, row.tenant_id)
        return site.show(
            request,
            "form.html",
            f"Policy for {row.tool}",
            form=form,
            back=LIST,
            ways=[("The tool", tool_address(row.tool))],
            acts=[("remove", "Remove the policy")],
            act_at=f"{LIST}{row.pk}/act",
            facts=[
                ("Tool", format_html('<a class="bo-link" href="{}">{}</a>', tool_address(row.tool), row.tool)),
                ("Tenant", owner_named(row.tenant_id)),
                ("Set by", self.by_whom(row)),
                ("Changed", row.updated_at),
            ],
            history=told,
        )

    def act_view(self, request: HttpRequest, policy_id: UUID) -> HttpResponseBase:
        """Remove it: the tool is for the tenant as for all."""
        staff, row = self.theirs(request, policy_id)
        if request.method != "POST" or request.POST.get("action") != "remove":
            raise Http404
        try:
            remove_policy(row.tool, by=staff.acting_in(row.tenant_id))
        except PlatformError as error:
            messages.error(request, told_why(error))
        else:
            messages.success(request, f"{row.tool} is for {owner_named(row.tenant_id)} as it is for all tenants.")
        return HttpResponseRedirect(LIST)


def _set(staff: Staff, tool: str, form: PolicyForm, row: ToolPolicy | None = None) -> ToolPolicy | None:
    """None, with the reason on the form, when the service refuses."""
    try:
        by = staff.acting_in(row.tenant_id) if row is not None else _of_chosen(staff, form)
        return set_policy(tool, form.change(), by=by, expected=form.expected_at)
    except PlatformError as error:
        form.add_error(None, told_why(error))
        return None


def _of_chosen(staff: Staff, form: PolicyForm) -> Principal:
    if not staff.is_platform:
        return staff.principal
    tenant = tenant_by_slug(form.cleaned_data["tenant"])
    if tenant is None:
        raise NoSuchTenant
    return staff.acting_in(tenant.id)


site.register(ToolPolicy, PolicyAdmin)
