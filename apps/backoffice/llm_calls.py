"""The books of language models: every call with what it cost, and what the last 24 hours cost by whom."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin import display
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponseBase

from apps.backoffice import filters
from apps.backoffice.llm_shown import badge, usd
from apps.backoffice.models import ModelCall
from apps.backoffice.reading import alias_for
from apps.backoffice.rights import SPENDING, Staff, require, staff_of
from apps.backoffice.scoped_admin import ScopedAdmin
from apps.backoffice.site import site
from apps.identity.selectors import usernames_of
from apps.identity.standing import slug_of
from apps.llm.models import CALL_STATES, LlmAccount, LlmHour
from apps.llm.types import NANO_USD
from apps.tenancy.config import TenantSettings
from apps.tenancy.models import Tenant
from kernel.clock import now

WINDOW = timedelta(hours=24)
ROWS_SHOWN = 25
COLOURS = {"open": "running", "settled": "ok", "lost": "failed"}
StateFilter = filters.one_of("state", "state", CALL_STATES)
OutcomeFilter = filters.typed_in("outcome", "outcome", "outcome")
ModelFilter = filters.typed_in("model", "model", "instance")
ProviderFilter = filters.typed_in("provider", "provider", "provider")
UserFilter = filters.person("user", "user", "user_sub")
TenantFilter = filters.tenant_of("tenant_id")
# An open or lost call counts with what is held for it.
SPENT = Coalesce(Sum("nano_usd", filter=Q(state="settled")), 0) + Coalesce(
    Sum("held_nano_usd", filter=~Q(state="settled")), 0
)
TOKENS = Coalesce(Sum(F("input_tokens") + F("output_tokens")), 0)


class CallAdmin(ScopedAdmin):
    """Calls of the tenant's people; for a platform administrator of all tenants. Nothing here changes them."""

    right = SPENDING
    person = "user_sub"
    ordering = ("-started_at", "-id")
    sortable_by = ()
    actions = ()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {"title": "Calls of language models", **(extra_context or {})})

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("started_at", "shown_state", "instance", "shown_provider", "who", "purpose", "tokens", "cost", "took")
        return (*shown, "of_tenant") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        shown = (StateFilter, OutcomeFilter, ModelFilter, ProviderFilter, UserFilter)
        return (*shown, TenantFilter) if staff_of(request).is_platform else shown

    @display(description="State")
    def shown_state(self, row: ModelCall) -> str:
        if row.state == "settled" and row.outcome != "ok":
            return badge(row.outcome.replace("_", " ") or "failed", "failed")
        return badge(row.outcome or row.state, COLOURS.get(row.state, "unknown"))

    @display(description="Provider")
    def shown_provider(self, row: ModelCall) -> str:
        return f"{row.provider}, stood in" if row.used_fallback else row.provider

    @display(description="Tokens in / out")
    def tokens(self, row: ModelCall) -> str:
        return f"{row.input_tokens} / {row.output_tokens}" if row.state == "settled" else f"up to {row.held_tokens}"

    @display(description="USD")
    def cost(self, row: ModelCall) -> str:
        return usd(row.nano_usd) if row.state == "settled" else f"up to {usd(row.held_nano_usd)}"

    @display(description="Took")
    def took(self, row: ModelCall) -> str:
        return "" if row.latency_ms is None else f"{row.latency_ms:.0f} ms"

    @display(description="Tenant")
    def of_tenant(self, row: ModelCall) -> str:
        return slug_of(row.tenant_id) or str(row.tenant_id)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        require(request, SPENDING)
        row: ModelCall | None = self.get_object(request, object_id)
        if row is None or request.method not in ("GET", "HEAD"):
            raise Http404
        return site.show(
            request,
            "form.html",
            f"Call {row.call_id}",
            back="/admin/backoffice/modelcall/",
            facts=[
                ("State", self.shown_state(row)),
                ("Model", f"{row.instance} ({row.model_id})"),
                ("Provider", self.shown_provider(row)),
                ("Who", usernames_of([row.user_sub])[row.user_sub]),
                ("Tenant", self.of_tenant(row)),
                ("Purpose", row.purpose),
                ("Run", row.run_id or "none"),
                ("Tokens in", row.input_tokens),
                ("Tokens out", row.output_tokens),
                ("Counted by", "the platform (estimated)" if row.is_estimated else "the provider"),
                ("Cost, USD", self.cost(row)),
                ("Price from", row.priced_by or "not settled"),
                ("Held, USD", usd(row.held_nano_usd)),
                ("Held, tokens", row.held_tokens),
                ("Tries", row.attempts),
                ("Began", row.started_at),
                ("Settled", row.settled_at or "not yet"),
                ("Took", self.took(row) or "not known"),
            ],
        )


@site.page("models/spending/", name="model_spending")
def spending(request: HttpRequest) -> HttpResponseBase:
    """The last 24 hours: what each budget has left, then by model and by person."""
    staff = require(request, SPENDING)
    calls: QuerySet[ModelCall] = ModelCall._base_manager.using(alias_for(staff)).filter(started_at__gt=now() - WINDOW)
    by_model = [
        (row["instance"], row["provider"], f"{row['n']:,}", f"{row['tokens']:,}", usd(row["spent"]))
        for row in _most(calls, "instance", "provider")
    ]
    people = list(_most(calls, "user_sub", "tenant_id"))
    names = usernames_of(row["user_sub"] for row in people)
    by_user = [
        (names[row["user_sub"]], slug_of(row["tenant_id"]) or "", f"{row['n']:,}", f"{row['tokens']:,}",
         usd(row["spent"]))
        for row in people
    ]  # fmt: skip
    numbers = ("Calls", "Tokens", "USD")
    of_day = ("Tenant", "Spent, USD", "Under way, USD", "Budget, USD", "Left, USD", "Tokens", "Tokens a day")
    return site.show(
        request,
        "table.html",
        "Spending on language models",
        intro="The last 24 hours. Calls under way, and calls whose process died, count with what is held for them.",
        tables=[
            ("Budgets of a day", of_day, _budgets(staff)),
            ("By model", ("Model", "Provider", *numbers), by_model),
            ("By person", ("Who", "Tenant", *numbers), by_user),
        ],
    )


def _most(calls: "QuerySet[ModelCall]", *columns: str) -> Any:
    grouped = calls.order_by().values(*columns)
    return grouped.annotate(n=Count("id"), tokens=TOKENS, spent=SPENT).order_by("-spent", "-n")[:ROWS_SHOWN]


def _budgets(staff: Staff) -> list[tuple[Any, ...]]:
    """Tenants that spent something or have a budget."""
    alias = alias_for(staff)
    # The same 25 buckets that a reservation looks at: the hour under way and the 24 before.
    hours = LlmHour._base_manager.using(alias).filter(hour__gt=now() - WINDOW).order_by().values("tenant_id")
    spent = {row["tenant_id"]: row for row in hours.annotate(usd=Sum("nano_usd"), used=Sum("tokens"))}
    held: dict[UUID, int] = dict(
        LlmAccount._base_manager.using(alias).filter(key="").values_list("tenant_id", "held_nano_usd")
    )
    rows = []
    for tenant in Tenant._base_manager.using(alias).order_by("slug")[:500]:
        quotas = TenantSettings.model_validate(tenant.settings).quotas
        row = spent.get(tenant.pk, {"usd": 0, "used": 0})
        under_way = held.get(tenant.pk, 0)
        budget = quotas.cost_usd_per_day
        if budget is None and quotas.tokens_per_day is None and not (row["used"] or under_way):
            continue
        left = "" if budget is None else usd(max(0, round(budget * NANO_USD) - row["usd"] - under_way))
        rows.append(
            (
                {"text": tenant.slug, "href": f"/admin/tenancy/tenant/{tenant.pk}/change/"},
                usd(row["usd"]),
                usd(under_way),
                "none" if budget is None else f"{budget:g}",
                left or "no ceiling",
                f"{row['used']:,}",
                "no ceiling" if quotas.tokens_per_day is None else f"{quotas.tokens_per_day:,}",
            )
        )
    return rows


site.register(ModelCall, CallAdmin)
