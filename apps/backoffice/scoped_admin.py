"""The base of every list: one right to see it, one fence, and nothing to add, change or delete but by its own acts."""

from typing import Any, cast

from django.contrib.admin import display
from django.contrib.admin.utils import unquote
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from apps.backoffice import told
from apps.backoffice.reading import alias_for, reading
from apps.backoffice.rights import staff_of
from apps.identity.selectors import usernames_of

PAGE_SIZE = 50
COUNTED_UP_TO = 10_000


class BoundedPages(Paginator):
    """Counts no further than anybody turns pages: an exact total of a large table costs more than it is worth."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        return rows[:COUNTED_UP_TO].count()


class BoundedList(ChangeList):
    """One count, not two, and the names of a page's people in one query."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count
        if column := self.model_admin.person:
            rows: list[Any] = list(self.result_list)  # type: ignore[has-type]
            names = usernames_of(getattr(row, column) for row in rows)
            for row in rows:
                row.named = names[getattr(row, column)]
            self.result_list = rows


def list_without(*columns: str, **shown: Any) -> type[BoundedList]:
    """A list that leaves large columns where they are; ``shown``: expressions that stand in for them."""

    class Light(BoundedList):
        def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
            rows = super().get_queryset(request, exclude_parameters)
            return rows.annotate(**shown).defer(*columns)

    return Light


class ScopedAdmin(ModelAdmin):
    """``right`` opens the page; ``person`` is the column of the subject whose name ``who`` shows. Query strings may
    name our filters only: no look-up into columns or other tables."""

    right = ""
    person = ""
    list_per_page = PAGE_SIZE
    list_max_show_all = PAGE_SIZE
    show_full_result_count = False
    paginator = BoundedPages
    list_disable_select_all = True
    list_fullwidth = True
    list_filter_sheet = True
    view_on_site = False
    save_on_top = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return staff_of(request).may(self.right)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return staff_of(request).may(self.right)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @display(description="Who")
    def who(self, row: Any) -> str:
        return format_html('<span title="{}">{}</span>', getattr(row, self.person), row.named)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if request.method not in ("GET", "HEAD"):
            raise Http404
        return super().changelist_view(request, {"title": self.opts.verbose_name_plural, **(extra_context or {})})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Django asks this of filters' own parameters too; each of ours takes its parameter away before columns are."""
        if request is None:
            return False
        return any(lookup == each.parameter_name for each in self.get_list_filter(request))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """On the connection that shows what the person may see; evaluate it inside ``reading``."""
        rows = self.model._base_manager.using(alias_for(staff_of(request)))
        return rows.order_by(*self.get_ordering(request))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row, or None: for a foreign one as for a missing one. A look into another tenant leaves a note there."""
        field = self.model._meta.pk
        try:
            key = field.to_python(unquote(object_id))
        except ValidationError as error:
            raise Http404 from error
        staff = staff_of(request)
        with reading(staff):
            row = self.get_queryset(request).filter(pk=key).first()
        if row is not None:
            told.looked(staff, row)
        return row

    def log_addition(self, *args: Any) -> None:
        """Django's own log stays empty: apps.audit has the rows."""

    log_change = log_addition
    log_deletion = log_addition
    log_deletions = log_addition

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        raise Http404
