"""Providers of language models: how each is, what it is told, and what can be done about it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path

from apps.backoffice import filters, llm_acts
from apps.backoffice.llm_forms import DeleteForm, ProviderForm, PullForm
from apps.backoffice.llm_shown import SharedAdmin, badge, circuit_badge, health_badge, is_theirs, looked_at, owner_named
from apps.backoffice.rights import MODELS, Staff, require, staff_of
from apps.backoffice.scoped_admin import BoundedList
from apps.backoffice.site import site
from apps.jobs.services import create_job
from apps.llm import circuits, monitoring
from apps.llm.models import PROVIDER_TYPES, ModelInstance, Provider
from apps.llm.registry import providers
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

LIST = "/admin/llm/provider/"
TypeFilter = filters.one_of("type", "type", PROVIDER_TYPES)
EnabledFilter = filters.one_of("enabled", "enabled", ("true", "false"))
TenantFilter = filters.tenant_of("tenant_id")
# What a tenant's administrators are not told of the platform's providers.
NOT_SHOWN = "the platform's"


class WithHealth(BoundedList):
    """Each row of the page with what the last look saw, asked for in one go."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        self.result_list = rows
        seen = monitoring.health_of_all([row.pk for row in rows])
        for row in rows:
            row.health = seen[row.pk]
            if not is_theirs(staff_of(request), row):
                row.key_hint = ""


class ProviderAdmin(SharedAdmin):
    """The own tenant's, and the platform's to look at; for a platform administrator all."""

    title = "Providers of language models"
    search_fields = ("name",)
    search_help_text = "The beginning of a name"
    ordering = ("tenant_id", "priority", "name")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("name", "type", "owner", "state", "health", "circuit", "main", "key", "priority")

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (TypeFilter, EnabledFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.filter(name__startswith=search_term.strip()), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedList]:
        return WithHealth

    @display(description="Last look")
    def health(self, row: Provider) -> str:
        return health_badge(row, row.health)  # type: ignore[attr-defined]

    @display(description="Circuit")
    def circuit(self, row: Provider) -> str:
        return circuit_badge(circuits.view(row.pk))

    @display(description="Main")
    def main(self, row: Provider) -> str:
        return "main" if row.is_main else ""

    @display(description="Key")
    def key(self, row: Provider) -> str:
        return f"…{row.key_hint}" if row.key_hint else ""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:provider_id>/act", view(self.act_view), name="llm_provider_act"),
            path("<uuid:provider_id>/pull", view(self.pull_view), name="llm_provider_pull"),
            path("<uuid:provider_id>/remove", view(self.remove_view), name="llm_provider_remove"),
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        staff = require(request, MODELS)
        form = ProviderForm(request.POST or None, for_platform=staff.is_platform)
        if request.method == "POST" and form.is_valid():
            made = _register(staff, form)
            if made is not None:
                messages.success(request, f"{made.name} was added. Test the connection, then add its models.")
                return HttpResponseRedirect(f"{LIST}{made.pk}/change/")
        return site.show(request, "form.html", "New provider", form=form, back=LIST)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, MODELS)
        row: Provider | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        theirs = is_theirs(staff, row)
        form = None
        if theirs and request.method == "POST":
            form = ProviderForm(request.POST, for_platform=staff.is_platform, provider=row)
            if form.is_valid() and _change(request, staff, row, form):
                return HttpResponseRedirect(request.path)
        elif theirs:
            form = ProviderForm.of(row, for_platform=staff.is_platform)
        elif request.method == "POST":
            raise Http404
        instances = ModelInstance._base_manager.using(self.alias(request)).filter(provider_id=row.pk)
        with self.fence(request):
            models = list(instances.order_by("instance_name").values_list("instance_name", flat=True)[:50])
        return site.show(
            request,
            "form.html",
            f"Provider {row.name}",
            form=form,
            back=LIST,
            acts=llm_acts.offered(row) if theirs else [],
            act_at=f"{LIST}{row.pk}/act",
            ways=_ways(row) if theirs else [],
            facts=_facts(row, theirs=theirs, models=models),
        )

    def act_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponseBase:
        """Test the connection, enable, disable, make it the main one, close its circuit."""
        staff, row = self.theirs(request, provider_id)
        act = llm_acts.ACTS.get(request.POST.get("action", ""))
        if act is None or request.method != "POST":
            raise Http404
        worked, said = llm_acts.perform(staff, act, row)
        messages.add_message(request, messages.SUCCESS if worked else messages.ERROR, said)
        return HttpResponseRedirect(f"{LIST}{row.pk}/change/")

    def pull_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponseBase:
        """A job that has the provider download a model."""
        staff, row = self.theirs(request, provider_id)
        form = PullForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            payload = {"provider_id": str(row.pk), "model": form.cleaned_data["model"]}
            try:
                job = create_job(llm_acts.acting(staff, row), type_name="model.pull", payload=payload)
            except PlatformError as error:
                form.add_error(None, error.detail)
            else:
                return HttpResponseRedirect(f"/admin/jobs/job/{job.job_id}/change/")
        back = f"{LIST}{row.pk}/change/"
        title = f"Download a model to {row.name}"
        return site.show(request, "form.html", title, form=form, back=back, back_to="the provider", submit="Download")

    def remove_view(self, request: HttpRequest, provider_id: UUID) -> HttpResponseBase:
        """Delete it, once its name was typed."""
        staff, row = self.theirs(request, provider_id)
        form = DeleteForm(request.POST or None, name=row.name)
        if request.method == "POST" and form.is_valid():
            try:
                providers.remove_provider(row.pk, by=llm_acts.acting(staff, row), expected_version=row.version)
            except PlatformError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, f"{row.name} was deleted, and its key.")
                return HttpResponseRedirect(LIST)
        back = f"{LIST}{row.pk}/change/"
        title = f"Delete the provider {row.name}"
        return site.show(request, "form.html", title, form=form, back=back, back_to="the provider", submit="Delete")


def _register(staff: Staff, form: ProviderForm) -> Provider | None:
    """None, with the reason on the form, when the service refuses."""
    said = form.cleaned_data
    try:
        tenant_id = _owner(staff, said.get("tenant", ""))
        return providers.register_provider(
            tenant_id=tenant_id,
            name=said["name"],
            type=said["type"],
            base_url=said["base_url"],
            api_key=said["api_key"],
            config=form.config(),
            priority=said["priority"],
            enabled=said["enabled"],
            by=staff.principal if tenant_id is None else staff.acting_in(tenant_id),
        )
    except PlatformError as error:
        form.add_error(None, llm_acts.told_why(error))
        return None


def _owner(staff: Staff, slug: str) -> UUID | None:
    """Whose a new row is: the platform's only by its administrators."""
    if not staff.is_platform:
        return staff.tenant_id
    if not slug:
        return None
    tenant = tenant_by_slug(slug)
    if tenant is None:
        raise llm_acts.NoSuchTenant
    return tenant.pk


def _change(request: HttpRequest, staff: Staff, row: Provider, form: ProviderForm) -> bool:
    version = form.cleaned_data["version"]
    try:
        changed = providers.change_provider(
            row.pk, form.change(), by=llm_acts.acting(staff, row), expected_version=version or row.version
        )
    except PlatformError as error:
        form.add_error(None, llm_acts.told_why(error))
        return False
    messages.success(request, f"{changed.provider.name} was changed.")
    if changed.key_cleared:
        messages.warning(request, "It has another address now, so its key was removed: enter the key for this one.")
    return True


def _ways(row: Provider) -> list[tuple[str, str]]:
    pull = [("Download a model", f"{LIST}{row.pk}/pull")] if row.type == "ollama" else []
    return [
        *pull,
        ("Add a model", f"/admin/llm/modelinstance/add/?provider={row.pk}"),
        ("Delete", f"{LIST}{row.pk}/remove"),
    ]


def _facts(row: Provider, *, theirs: bool, models: list[str]) -> list[tuple[str, Any]]:
    health = monitoring.health_of(row.pk)
    circuit = circuits.view(row.pk)
    return [
        ("Id", row.pk),
        ("Whose", owner_named(row.tenant_id)),
        ("Type", row.type),
        ("State", badge("enabled", "ok") if row.enabled else badge("disabled", "failed")),
        ("Address", (row.base_url or "none: it needs no network") if theirs else NOT_SHOWN),
        (
            "Key",
            (f"ends in {row.key_hint}" if row.key_hint else "none, or too short for a hint") if theirs else NOT_SHOWN,
        ),
        ("Health", health_badge(row, health)),
        ("Last look", looked_at(health)),
        ("Circuit", circuit_badge(circuit)),
        ("Calls under way", circuit.under_way),
        ("Models", ", ".join(models) or "none"),
        ("Version", row.version),
    ]


site.register(Provider, ProviderAdmin)
