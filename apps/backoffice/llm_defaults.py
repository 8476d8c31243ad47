"""Whose default is which model: the platform's, each tenant's, and those that people set for themselves (SPEC 7.2)."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect

from apps.backoffice.llm_forms import DefaultForm
from apps.backoffice.llm_shown import owner_named
from apps.backoffice.reading import alias_for, as_uuid, reading
from apps.backoffice.rights import MODELS, Staff, require
from apps.backoffice.site import site
from apps.identity.selectors import usernames_of
from apps.llm import defaults
from apps.llm.models import ModelDefault, ModelInstance
from apps.llm.registry import model_defaults
from apps.tenancy.config import TenantSettings
from apps.tenancy.models import Tenant
from kernel.errors import PlatformError

PAGE = "/admin/models/defaults/"
SHOWN = 200


@site.page("models/defaults/", name="model_defaults")
def shown(request: HttpRequest) -> HttpResponseBase:
    """A default of a user goes before its tenant's, and that before the platform's."""
    staff = require(request, MODELS)
    rows = list(_defaults(staff).order_by("scope", "tenant_id", "user_sub")[: 2 * SHOWN])
    names = usernames_of([row.updated_by for row in rows] + [row.user_sub for row in rows if row.user_sub])
    of_platform = next((row for row in rows if row.scope == "global"), None)
    of_tenants = {row.tenant_id: row for row in rows if row.scope == "tenant"}
    tenants: list[tuple[Any, ...]] = []
    for tenant in Tenant._base_manager.using(alias_for(staff)).order_by("slug")[:SHOWN]:
        held = of_tenants.get(tenant.pk)
        named = TenantSettings.model_validate(tenant.settings).default_model
        link = {"text": tenant.slug, "href": f"{PAGE}{tenant.pk}/"}
        if held is None:
            tenants.append((link, f"{named} (by the tenant's settings)" if named else "the platform's", "", ""))
        else:
            tenants.append((link, *_told(held, names)))
    users = [(names[row.user_sub], owner_named(row.tenant_id), *_told(row, names))
             for row in rows if row.scope == "user"][:SHOWN]  # fmt: skip
    place = {"text": "Platform", "href": f"{PAGE}global/"} if staff.is_platform else "Platform"
    platform = (place, *(_told(of_platform, names) if of_platform else ("none", "", "")))
    last = ("Model", "Set by", "Since")
    return site.show(
        request,
        "table.html",
        "Default models",
        intro="Who names no model gets the own default, else the tenant's, else the platform's.",
        tables=[
            ("The platform's", ("", *last), [platform]),
            ("Tenants", ("Tenant", *last), tenants),
            ("People", ("Who", "Tenant", *last), users),
        ],
    )


@site.page("models/defaults/global/", name="model_default_global")
def of_platform(request: HttpRequest) -> HttpResponseBase:
    """The platform's default, for its administrators."""
    staff = require(request, MODELS)
    if not staff.is_platform:
        raise Http404
    return _change(request, staff, "global", None)


@site.page("models/defaults/<uuid:tenant_id>/", name="model_default_tenant")
def of_tenant(request: HttpRequest, tenant_id: UUID) -> HttpResponseBase:
    """A tenant's default."""
    staff = require(request, MODELS)
    with reading(staff):
        known = Tenant._base_manager.using(alias_for(staff)).filter(pk=tenant_id).exists()
    if not known:
        raise Http404
    return _change(request, staff, "tenant", tenant_id)


def _change(request: HttpRequest, staff: Staff, scope: defaults.Scope, tenant_id: UUID | None) -> HttpResponseBase:
    with reading(staff):
        rows = ModelInstance._base_manager.using(alias_for(staff)).select_related("provider")
        rows = rows.filter(Q(tenant_id=None) | Q(tenant_id=tenant_id), enabled=True, provider__enabled=True)
        choices = list(rows.order_by("instance_name")[:500])
        held = _defaults(staff).filter(scope=scope, tenant_id=tenant_id).first()
    initial = {"instance": str(held.instance_id) if held else ""}
    form = DefaultForm(request.POST or None, initial=initial, instances=choices)
    if request.method == "POST" and form.is_valid():
        by = staff.principal if tenant_id is None else staff.acting_in(tenant_id)
        instance_id = as_uuid(form.cleaned_data["instance"])
        try:
            if instance_id is not None:
                model_defaults.set_default(scope, by=by, instance_id=instance_id)
            elif held is not None:
                model_defaults.take_default_away(scope, by=by)
        except PlatformError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, "The default was changed. It holds from now on, in all processes.")
            return HttpResponseRedirect(PAGE)
    whose = "the platform" if tenant_id is None else owner_named(tenant_id)
    title = f"Default model of {whose}"
    return site.show(request, "form.html", title, form=form, back=PAGE, back_to="all defaults")


def _defaults(staff: Staff) -> Any:
    return ModelDefault._base_manager.using(alias_for(staff)).select_related("instance__provider")


def _told(row: ModelDefault, names: dict[str, str]) -> tuple[str, str, Any]:
    by = names[row.updated_by] or "the platform"
    return f"{row.instance.instance_name} ({row.instance.provider.name})", by, f"{row.updated_at:%Y-%m-%d %H:%M}"
