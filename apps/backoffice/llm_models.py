"""Model instances: what can be asked, at which price; one question to try them with; and whose default is which."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path

from apps.backoffice import filters
from apps.backoffice.llm_acts import acting, told_why
from apps.backoffice.llm_forms import DeleteForm, InstanceForm, TryForm
from apps.backoffice.llm_shown import SharedAdmin, badge, is_theirs, owner_named, usd
from apps.backoffice.reading import alias_for
from apps.backoffice.rights import MODELS, Staff, require, staff_of
from apps.backoffice.site import site
from apps.backoffice.told import tell
from apps.identity.selectors import username_of
from apps.jobs.services import create_job
from apps.llm import gateway
from apps.llm.models import ModelInstance, Provider
from apps.llm.registry import instances
from apps.llm.types import CompletionRequest, CompletionResult, Message
from kernel.errors import PlatformError

LIST = "/admin/llm/modelinstance/"
TRY_LIMIT_S = 60.0
EnabledFilter = filters.one_of("enabled", "enabled", ("true", "false"))
ProviderFilter = filters.typed_in("provider", "provider", "provider__name")
TenantFilter = filters.tenant_of("tenant_id")


class InstanceAdmin(SharedAdmin):
    """The own tenant's, and the platform's to look at and to try; for a platform administrator all."""

    title = "Language models"
    search_fields = ("instance_name",)
    search_help_text = "The beginning of a name"
    ordering = ("tenant_id", "instance_name")

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return ("instance_name", "model_id", "of_provider", "owner", "state", "window", "tools", "prices", "loaded_at")

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (EnabledFilter, ProviderFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("provider")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return queryset.filter(instance_name__startswith=search_term.strip()), False

    @display(description="Provider")
    def of_provider(self, row: ModelInstance) -> str:
        return f"{row.provider.name} ({row.provider.type})"

    @display(description="State")
    def state(self, row: ModelInstance) -> str:
        if row.enabled and not row.provider.enabled:
            return badge("provider disabled", "degraded")
        return super().state(row)

    @display(description="Window")
    def window(self, row: ModelInstance) -> str:
        return f"{row.context_window:,}"

    @display(description="Tools")
    def tools(self, row: ModelInstance) -> str:
        return "yes" if row.supports_tools else "no"

    @display(description="USD a million in / out")
    def prices(self, row: ModelInstance) -> str:
        return priced(row)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("<uuid:instance_id>/act", view(self.act_view), name="llm_modelinstance_act"),
            path("<uuid:instance_id>/try", view(self.try_view), name="llm_modelinstance_try"),
            path("<uuid:instance_id>/remove", view(self.remove_view), name="llm_modelinstance_remove"),
        ]
        return [*own, *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponseBase:
        staff = require(request, MODELS)
        with self.fence(request):
            choices = manageable_providers(staff)
        initial = {name: field.initial for name, field in InstanceForm.base_fields.items() if field.initial is not None}
        initial["provider"] = request.GET.get("provider", "")
        form = InstanceForm(request.POST or None, initial=initial, providers=choices, instance=None)
        if request.method == "POST" and form.is_valid():
            provider = next(row for row in choices if str(row.pk) == form.cleaned_data["provider"])
            try:
                made = instances.create_instance(
                    tenant_id=provider.tenant_id,
                    provider_id=provider.pk,
                    fields=form.values(),
                    by=acting(staff, provider),
                )
            except PlatformError as error:
                form.add_error(None, told_why(error))
            else:
                messages.success(request, f"{made.instance.instance_name} was added.")
                return HttpResponseRedirect(f"{LIST}{made.instance.pk}/change/")
        intro = "" if choices else "There is no provider of yours yet: add one first."
        return site.show(request, "form.html", "New model", form=form if choices else None, back=LIST, intro=intro)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        staff = require(request, MODELS)
        row: ModelInstance | None = self.get_object(request, object_id)
        if row is None:
            raise Http404
        theirs = is_theirs(staff, row)
        form = None
        if theirs and request.method == "POST":
            form = InstanceForm(request.POST, providers=[], instance=row)
            if form.is_valid() and _change(request, staff, row, form):
                return HttpResponseRedirect(request.path)
        elif theirs:
            form = InstanceForm.of(row)
        elif request.method == "POST":
            raise Http404
        ways = [("Try it", f"{LIST}{row.pk}/try")]
        return site.show(
            request,
            "form.html",
            f"Model {row.instance_name}",
            form=form,
            back=LIST,
            acts=[("warm_up", "Warm it up")] if theirs else [],
            act_at=f"{LIST}{row.pk}/act",
            ways=[*ways, ("Delete", f"{LIST}{row.pk}/remove")] if theirs else ways,
            facts=_facts(row),
        )

    def act_view(self, request: HttpRequest, instance_id: UUID) -> HttpResponseBase:
        """A job that has the model ready."""
        staff, row = self.theirs(request, instance_id)
        if request.method != "POST" or request.POST.get("action") != "warm_up":
            raise Http404
        try:
            job = create_job(acting(staff, row), type_name="model.warmup", payload={"instance_id": str(row.pk)})
        except PlatformError as error:
            messages.error(request, error.detail)
            return HttpResponseRedirect(f"{LIST}{row.pk}/change/")
        return HttpResponseRedirect(f"/admin/jobs/job/{job.job_id}/change/")

    def try_view(self, request: HttpRequest, instance_id: UUID) -> HttpResponseBase:
        """One question to this model and no other; it costs what it costs, and is in the books."""
        staff = require(request, MODELS)
        row: ModelInstance | None = self.get_object(request, str(instance_id))
        if row is None:
            raise Http404
        form = TryForm(request.POST) if request.method == "POST" else TryForm()
        facts: list[tuple[str, Any]] = []
        documents: list[tuple[str, str]] = []
        if request.method == "POST" and form.is_valid():
            try:
                result = gateway.complete(_question(staff, row, form))
            except PlatformError as error:
                form.add_error(None, error.detail)
            else:
                facts, documents = _answer(result), [("Answer", result.text or "(no text)")]
            tell(staff, "model_tried", tenant_id=row.tenant_id, resource_type="model_instance", resource_id=row.pk,
                 outcome="success" if facts else "failed", name=row.instance_name)  # fmt: skip
        return site.show(
            request,
            "form.html",
            f"Try {row.instance_name}",
            form=form,
            back=f"{LIST}{row.pk}/change/",
            back_to="the model",
            submit="Ask",
            facts=facts,
            documents=documents,
        )

    def remove_view(self, request: HttpRequest, instance_id: UUID) -> HttpResponseBase:
        """Delete it, once its name was typed."""
        staff, row = self.theirs(request, instance_id)
        form = DeleteForm(request.POST or None, name=row.instance_name)
        if request.method == "POST" and form.is_valid():
            try:
                defaults = instances.remove_instance(row.pk, by=acting(staff, row), expected_version=row.version)
            except PlatformError as error:
                form.add_error(None, error.detail)
            else:
                also = f" {defaults} default(s) went with it." if defaults else ""
                messages.success(request, f"{row.instance_name} was deleted.{also}")
                return HttpResponseRedirect(LIST)
        back = f"{LIST}{row.pk}/change/"
        title = f"Delete the model {row.instance_name}"
        return site.show(request, "form.html", title, form=form, back=back, back_to="the model", submit="Delete")


def manageable_providers(staff: Staff) -> list[Provider]:
    """Providers that the person may add models to, inside the fence."""
    rows = Provider._base_manager.using(alias_for(staff)).order_by("tenant_id", "name")
    return list(rows[:500] if staff.is_platform else rows.filter(tenant_id=staff.tenant_id)[:500])


def priced(row: ModelInstance) -> str:
    """The instance's own prices for a million tokens; the price catalogue's where it has none."""
    if row.input_nano_usd is None and row.output_nano_usd is None:
        return "free" if row.provider.type in ("demo", "ollama") else "catalogue"
    shown = [usd(nano * 1_000_000) if nano is not None else "?" for nano in (row.input_nano_usd, row.output_nano_usd)]
    return " / ".join(shown)


def _question(staff: Staff, row: ModelInstance, form: TryForm) -> CompletionRequest:
    """Asked in the name of the person, at the cost of the tenant whose model it is, or else of its own."""
    said = form.cleaned_data
    return CompletionRequest(
        tenant_id=row.tenant_id or staff.tenant_id,
        user_sub=staff.sub,
        messages=(Message("user", said["prompt"]),),
        model=str(row.pk),
        max_tokens=said["max_tokens"],
        temperature=said["temperature"],
        fallbacks=(),
        deadline_s=TRY_LIMIT_S,
        purpose="test",
    )


def _answer(result: CompletionResult) -> list[tuple[str, Any]]:
    usage, cost = result.usage, result.cost
    counted = " (estimated)" if usage.is_estimated else ""
    price = "no price known" if cost.priced_by == "unknown" else f"{usd(cost.nano_usd)} USD ({cost.priced_by})"
    return [
        ("Answered by", f"{result.provider} ({result.provider_type})"),
        ("Model", result.model_id),
        ("Tokens in", f"{usage.input_tokens}{counted}"),
        ("Tokens out", f"{usage.output_tokens}{counted}"),
        ("Cost", price),
        ("Time", f"{result.latency_ms:.0f} ms"),
        ("Tries", len(result.attempts)),
        ("Ended by", result.finish_reason),
        ("Call", result.call_id),
        *(("Budget", warning) for warning in result.budget_warnings),
    ]


def _change(request: HttpRequest, staff: Staff, row: ModelInstance, form: InstanceForm) -> bool:
    try:
        changed = instances.change_instance(
            row.pk,
            form.values(),
            by=acting(staff, row),
            expected_version=form.cleaned_data["version"] or row.version,
        )
    except PlatformError as error:
        form.add_error(None, told_why(error))
        return False
    messages.success(request, f"{changed.instance_name} was changed.")
    return True


def _facts(row: ModelInstance) -> list[tuple[str, Any]]:
    return [
        ("Id", row.pk),
        ("Whose", owner_named(row.tenant_id)),
        ("Provider", f"{row.provider.name} ({row.provider.type})"),
        ("State", badge("enabled", "ok") if row.enabled else badge("disabled", "failed")),
        ("USD a million tokens, in / out", priced(row)),
        ("Modalities", ", ".join(row.modalities) or "text"),
        ("Last warmed up", row.loaded_at or "never"),
        ("Made by", (username_of(row.created_by) or row.created_by) if row.created_by else "the platform"),
        ("Version", row.version),
    ]


site.register(ModelInstance, InstanceAdmin)
