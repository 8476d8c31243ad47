"""The list of tools: by state and category, each with its calls of the last day and the policies for it."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest

from apps.backoffice import filters
from apps.backoffice.reading import alias_for
from apps.backoffice.rights import staff_of
from apps.backoffice.scoped_admin import BoundedList
from apps.tools.models import RUNNING, SUCCEEDED, ToolInvocation, ToolPolicy
from kernel.clock import now

WINDOW = timedelta(hours=24)
THERE = Q(is_declared=True)
APPROVED = THERE & Q(approved_fingerprint=F("fingerprint"))
# How it stands for all tenants. Without a choice: all that some code declares.
StateFilter = filters.narrowed_to(
    "state",
    "state",
    {
        "on": APPROVED & Q(enabled=True),
        "off": APPROVED & Q(enabled=False),
        "waiting": THERE & ~Q(approved_fingerprint=F("fingerprint")),
        "gone": Q(is_declared=False),
    },
    without=THERE,
)


class CategoryFilter(SimpleListFilter):
    """One of the categories that there are."""

    parameter_name = "category"
    title = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).filter(is_declared=True).order_by("category")
        return [(name, name) for name in rows.values_list("category", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value and not value.isprintable():
            raise IncorrectLookupParameters
        return queryset.filter(category=value) if value else queryset


class WithCalls(BoundedList):
    """Each tool of the page with its calls of the last day, as far as the person may see them, and policies."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        staff = staff_of(request)
        alias, names = alias_for(staff), [row.name for row in rows]
        recent = ToolInvocation._base_manager.using(alias).filter(created_at__gt=now() - WINDOW).order_by()
        grouped = recent.values("tool").annotate(
            n=Count("*"), ill=Count("id", filter=~Q(status__in=(SUCCEEDED, RUNNING)))
        )
        calls = {counted["tool"]: counted for counted in grouped}
        policies: dict[str, list[ToolPolicy]] = {}
        for policy in ToolPolicy._base_manager.using(alias).filter(tool__in=names)[:10_000]:
            policies.setdefault(policy.tool, []).append(policy)
        for row in rows:
            row.counted = calls.get(row.name, {"n": 0, "ill": 0})
            row.narrowed = policies.get(row.name, [])
            row.own_policy = next((each for each in row.narrowed if each.tenant_id == staff.tenant_id), None)
        self.result_list = rows
