"""Manifests: staged from a document or a builtin, activated as a whole, gone back from; the list is the history."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path

from apps.backoffice import filters
from apps.backoffice.llm_acts import told_why
from apps.backoffice.llm_forms import ManifestForm
from apps.backoffice.llm_shown import SharedAdmin, badge, is_theirs, owner_named
from apps.backoffice.rights import MODELS, require, staff_of
from apps.backoffice.site import site
from apps.identity.selectors import username_of
from apps.llm.models import ProviderManifest
from apps.llm.registry import builtins, manifests
from apps.llm.registry.laying import Laid
from kernel.errors import PlatformError

LIST = "/admin/llm/providermanifest/"
STATES = (manifests.STAGED, manifests.ACTIVE, manifests.SUPERSEDED, manifests.ROLLED_BACK)
COLOURS = {manifests.ACTIVE: "ok", manifests.ROLLED_BACK: "degraded"}
StateFilter = filters.one_of("state", "state", STATES)
TenantFilter = filters.tenant_of("tenant_id")


class ManifestAdmin(SharedAdmin):
    """A tenant's own, and the platform's to look at; for a platform administrator all."""

    title = "Manifests of providers and models"
    ordering = ("-staged_at", "-id")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", "shown_state", "owner", "by_whom", "staged_at", "activated_at", "contents")

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return (StateFilter, TenantFilter) if staff_of(request).is_platform else (StateFilter,)

    @display(description="State")
    def shown_state(self, row: ProviderManifest) -> str:
        return badge(row.state.replace("_", " "), COLOURS.get(row.state, "unknown"))

    @display(description="Staged by")
    def by_whom(self, row: ProviderManifest) -> str:
        return _named(row.staged_by)

    @display(description="Contents")
    def contents(self, row: ProviderManifest) -> str:
        listed = row.document.get("providers", [])
        models = sum(len(provider.get("models", [])) for provider in listed)
        return f"{len(listed)} provider(s), {models} model(s)"

    def get_urls(self) -> list[URLPattern]:
        act = path("<uuid:manifest_id>/act", self.admin_site.admin_view(self.act_view), name="llm_manifest_act")
        return [act, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        staff = require(request, MODELS)
        chosen = builtins.all_builtins().get(request.GET.get("builtin", ""))
        initial = {"document": chosen["document"]} if chosen else None
        form = ManifestForm(request.POST or None, initial=initial)
        if request.method == "POST" and form.is_valid():
            try:
                row = manifests.stage(
                    tenant_id=None if staff.is_platform and form.cleaned_data["for_everybody"] else staff.tenant_id,
                    by=staff.principal,
                    document=form.cleaned_data["document"],
                )
            except PlatformError as error:
                form.add_error(None, told_why(error))
            else:
                messages.success(request, f"{row.name} is staged. Look at it, then activate it.")
                return HttpResponseRedirect(f"{LIST}{row.pk}/change/")
        if not staff.is_platform:
            del form.fields["for_everybody"]
        return site.show(
            request,
            "form.html",
            "New manifest",
            form=form,
            back=LIST,
            submit="Stage",
            intro=chosen["description"]
            if chosen
            else "Write a document, or begin with one that comes with the platform.",
            ways=[(f"Begin with {name}", f"{LIST}add/?builtin={name}") for name in builtins.all_builtins()],
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, MODELS)
        row: ProviderManifest | None = self.get_object(request, object_id)
        if row is None or request.method not in ("GET", "HEAD"):
            raise Http404
        theirs = is_theirs(staff, row)
        act = ("roll_back", "Go back from it") if row.state == manifests.ACTIVE else ("activate", "Activate")
        document = json.dumps(row.document, indent=2, ensure_ascii=False)
        return site.show(
            request,
            "form.html",
            f"Manifest {row.name}",
            back=LIST,
            acts=[act] if theirs else [],
            act_at=f"{LIST}{row.pk}/act",
            facts=[
                ("Id", row.pk),
                ("State", self.shown_state(row)),
                ("Whose", owner_named(row.tenant_id)),
                ("Staged by", _named(row.staged_by)),
                ("Staged", row.staged_at),
                ("Activated by", _named(row.activated_by) if row.activated_at else "nobody yet"),
                ("Activated", row.activated_at or "not yet"),
                ("SHA-256", row.sha256),
            ],
            documents=[("Document", document if theirs else "The platform's: its administrators see it.")],
        )

    def act_view(self, request: HttpRequest, manifest_id: UUID) -> HttpResponseBase:
        """Activate it, or go back from it."""
        staff, row = self.theirs(request, manifest_id)
        action = request.POST.get("action", "")
        if request.method != "POST" or action not in ("activate", "roll_back"):
            raise Http404
        by = staff.principal if row.tenant_id is None else staff.acting_in(row.tenant_id)
        try:
            if action == "activate":
                row, laid = manifests.activate(row.pk, by=by)
            else:
                row, laid = manifests.roll_back(tenant_id=row.tenant_id, by=by, manifest_id=row.pk)
        except PlatformError as error:
            messages.error(request, told_why(error))
        else:
            messages.success(request, f"{row.name} is {row.state.replace('_', ' ')}. {_sentence(laid)}")
        return HttpResponseRedirect(f"{LIST}{row.pk}/change/")


def _named(sub: str) -> str:
    return (username_of(sub) or sub) if sub else "the platform"


def _sentence(laid: Laid) -> str:
    parts = [
        f"{word}: {', '.join(names)}"
        for word, names in (
            ("made", laid.created),
            ("changed", laid.changed),
            ("removed", laid.removed),
            ("lost their key", laid.keys_cleared),
        )
        if names
    ]
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]}." if parts else "Nothing was different."


site.register(ProviderManifest, ManifestAdmin)
