"""Filters of lists: each a query parameter of its own with values of its own, so that no look-up can be smuggled in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter

from apps.backoffice.reading import alias_for, as_uuid
from apps.backoffice.rights import staff_of
from apps.identity.selectors import subjects_named
from apps.tenancy.models import Tenant


def one_of(
    parameter: str, shown_as: str, values: Sequence[str], column: str | None = None, *, as_list: bool = False
) -> type[SimpleListFilter]:
    """A choice of fixed values; ``as_list``: of what an array column may hold. "true" and "false" mean themselves."""

    def meaning(value: str) -> Q:
        held = {"true": True, "false": False}.get(value, value)
        return Q(**{column or parameter: [value] if as_list else held})

    return narrowed_to(parameter, shown_as, {value: meaning(value) for value in values})


def narrowed_to(
    parameter: str, shown_as: str, meanings: Mapping[str, Q], without: Q | None = None
) -> type[SimpleListFilter]:
    """A choice of words, each of which means rows like these; ``without``: what no choice means, else all."""

    class Narrowed(SimpleListFilter):
        parameter_name = parameter
        title = shown_as

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(word, word) for word in meanings]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            word = self.value()
            if word is None:
                return queryset if without is None else queryset.filter(without)
            if word not in meanings:
                raise IncorrectLookupParameters
            return queryset.filter(meanings[word])

    return Narrowed


def typed_in(parameter: str, shown_as: str, column: str) -> type[TextFilter]:
    """An exact value that the person types."""

    return _typed(parameter, shown_as, lambda value: Q(**{column: value}))


def person(parameter: str, shown_as: str, column: str) -> type[TextFilter]:
    """Somebody, whose user name or subject the person types. ``column`` has the subject."""
    return _typed(parameter, shown_as, lambda value: Q(**{f"{column}__in": subjects_named(value)}))


def _typed(parameter: str, shown_as: str, meaning: Callable[[str], Q]) -> type[TextFilter]:
    class Typed(TextFilter):
        parameter_name = parameter
        title = shown_as

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            value = self.value()
            if value and not value.isprintable():
                raise IncorrectLookupParameters
            return queryset.filter(meaning(value)) if value else queryset

    return Typed


def id_of(parameter: str, shown_as: str, column: str) -> type[TextFilter]:
    """An id that the person types, or a link of ours brings along."""

    class Id(TextFilter):
        parameter_name = parameter
        title = shown_as

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            value = self.value()
            if not value:
                return queryset
            sought = as_uuid(value)
            if sought is None:
                raise IncorrectLookupParameters
            return queryset.filter(**{column: sought})

    return Id


def tenant_of(column: str) -> type[SimpleListFilter]:
    """The tenant, by its short name; for lists that show more than one."""

    class OfTenant(SimpleListFilter):
        parameter_name = "tenant"
        title = "tenant"

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            rows = Tenant._base_manager.using(alias_for(staff_of(request))).order_by("slug")
            return list(rows.values_list("slug", "slug")[:200])

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            value = self.value()
            if not value:
                return queryset
            if not value.isprintable():
                raise IncorrectLookupParameters
            tenant = Tenant._base_manager.using(alias_for(staff_of(request))).filter(slug=value).first()
            return queryset.none() if tenant is None else queryset.filter(**{column: tenant.pk})

    return OfTenant
