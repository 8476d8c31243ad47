"""Tenants and their rate limits. Changes go through apps.tenancy.services, which checks, audits and publishes them."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.backoffice import filters
from apps.backoffice.forms import RateLimitForm, TenantForm
from apps.backoffice.reading import alias_for, reading
from apps.backoffice.rights import LIMITS, TENANTS, Staff, require
from apps.backoffice.scoped_admin import ScopedAdmin
from apps.backoffice.site import site
from apps.tenancy import services
from apps.tenancy.config import TenantSettings
from apps.tenancy.models import Tenant
from kernel.errors import PlatformError

ACTS = {"suspend": Tenant.Status.SUSPENDED, "resume": Tenant.Status.ACTIVE}
LABELS = {"suspend": "Suspend", "resume": "Resume"}


class TenantAdmin(ScopedAdmin):
    """All tenants for platform administrators; for the others their own, and of it what is theirs to set."""

    right = TENANTS
    search_fields = ("slug",)
    search_help_text = "The beginning of the short name"
    ordering = ("slug",)
    sortable_by = ()
    actions = ()
    list_display = ("slug", "name", "state", "admin_email", "updated_at")
    list_filter = (filters.one_of("status", "status", Tenant.Status.values),)

    @display(description="Status")
    def state(self, tenant: Tenant) -> str:
        return format_html('<span class="badge is-{0}">{0}</span>', tenant.status)

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.filter(slug__startswith=search_term.strip()), False

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:tenant_id>/act", self.admin_site.admin_view(self.act_view), name="tenancy_tenant_act")
        return [act, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, TENANTS)
        tenant: Tenant | None = self.get_object(request, object_id)
        if tenant is None:
            raise Http404
        if request.method == "POST":
            form = TenantForm(request.POST, for_platform=staff.is_platform)
            if form.is_valid() and save(request, staff, tenant, form):
                return HttpResponseRedirect(request.path)
        else:
            form = TenantForm.of(tenant, for_platform=staff.is_platform)
        act = {"active": "suspend", "suspended": "resume"}.get(tenant.status)
        return site.show(
            request,
            "form.html",
            f"Tenant {tenant.slug}",
            form=form,
            back="/admin/tenancy/tenant/",
            acts=[(act, LABELS[act])] if act and staff.is_platform else [],
            act_at=f"/admin/tenancy/tenant/{tenant.pk}/act",
            facts=[
                ("Id", tenant.pk),
                ("Short name", tenant.slug),
                ("Status", tenant.status),
                ("Version", tenant.version),
                ("Since", tenant.created_at),
                ("Changed", tenant.updated_at),
            ],
            documents=[("Metadata", json.dumps(tenant.metadata, indent=2, ensure_ascii=False))],
        )

    def act_view(self, request: HttpRequest, tenant_id: UUID) -> HttpResponseBase:
        """Suspend or resume."""
        staff = require(request, TENANTS)
        tenant = self.get_object(request, str(tenant_id))
        status = ACTS.get(request.POST.get("action", ""))
        if tenant is None or status is None or request.method != "POST":
            raise Http404
        try:
            services.set_tenant_status(tenant.pk, status, by=staff.principal)
        except PlatformError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, f"Tenant {tenant.slug} is {status}.")
        return HttpResponseRedirect(f"/admin/tenancy/tenant/{tenant.pk}/change/")


def save(request: HttpRequest, staff: Staff, tenant: Tenant, form: TenantForm | RateLimitForm) -> bool:
    """Hand the form's differences to the service. False, with the reason on the form, when it refuses."""
    try:
        services.change_tenant(
            tenant.pk, form.change_of(tenant), by=staff.principal, expected_version=form.cleaned_data["version"]
        )
    except PlatformError as error:
        faults = [f"{'.'.join(str(step) for step in fault['loc'])}: {fault['msg']}" for fault in error.errors or []]
        form.add_error(None, " ".join([error.detail, *faults]))
        return False
    messages.success(request, f"Tenant {tenant.slug} was changed.")
    return True


@site.page("limits/", name="limits")
def limits(request: HttpRequest) -> HttpResponseBase:
    """The rate limits of each tenant that differ from the platform's."""
    staff = require(request, LIMITS)
    rows = []
    for tenant in Tenant._base_manager.using(alias_for(staff)).order_by("slug")[:500]:
        set_here = TenantSettings.model_validate(tenant.settings).rate_limits
        rows.append(
            (
                {"text": tenant.slug, "href": f"/admin/limits/{tenant.pk}/"},
                set_here.tenant_per_minute or "default",
                set_here.user_per_minute or "by role",
                len(set_here.users) or "none",
            )
        )
    heads = ("Tenant", "Tenant a minute", "Each caller a minute", "Single callers")
    return site.show(request, "table.html", "Rate limits", tables=[("", heads, rows)])


@site.page("limits/<uuid:tenant_id>/", name="limits_of")
def limits_of(request: HttpRequest, tenant_id: UUID) -> HttpResponseBase:
    """One tenant's limits, to be changed."""
    staff = require(request, LIMITS)
    with reading(staff):
        tenant = Tenant._base_manager.using(alias_for(staff)).filter(pk=tenant_id).first()
    if tenant is None:
        raise Http404
    if request.method == "POST":
        form = RateLimitForm(request.POST, for_platform=staff.is_platform)
        if form.is_valid() and save(request, staff, tenant, form):
            return HttpResponseRedirect(request.path)
    else:
        form = RateLimitForm.of(tenant, for_platform=staff.is_platform)
    return site.show(request, "form.html", f"Rate limits of {tenant.slug}", form=form, back="/admin/limits/")


site.register(Tenant, TenantAdmin)
