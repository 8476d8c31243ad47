"""The base of pages whose rows change while one looks: a list that keeps its statuses up to date, acts on a selection,
and one row's page with a part that is fetched anew until its end."""

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.backoffice import filters
from apps.backoffice.reading import alias_for, as_uuid, reading
from apps.backoffice.rights import Staff, require, staff_of
from apps.backoffice.scoped_admin import PAGE_SIZE, ScopedAdmin
from apps.backoffice.site import site
from apps.identity.selectors import subjects_named

EVENTS_SHOWN = 200
STOP_POLLING = 286  # htmx's own status: take this answer and ask no more
TenantFilter = filters.tenant_of("tenant_id")


class LiveRows(ScopedAdmin):
    """Rows with ``id``, ``tenant``, ``owner_sub`` and ``status``; for a platform administrator those of all tenants.

    A subclass says what it shows (``columns``, ``narrowed_by``, ``story``) and what can be done (``acts``: names with
    what the menu says; ``acts_right``; ``perform``). ``story`` is the context of ``live_template``, the part of a
    row's page that changes; its ``ended`` says that it will not change any more.
    """

    person = "owner_sub"
    one = "row"  # what the person calls it
    title = ""
    at = ""  # the list's own address, and what those of its rows begin with
    columns: tuple[str, ...] = ()
    narrowed_by: tuple[Any, ...] = ()
    found_by: tuple[str, ...] = ("pk",)  # columns in which an id is looked for
    acts: Mapping[str, str] = {}
    acts_right = ""
    live_template = ""

    search_fields = ("id",)
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions = ()
    list_before_template = "backoffice/live_list.html"

    def story(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What is shown of one row."""
        raise NotImplementedError

    def perform(self, staff: Staff, name: str, row: Any) -> tuple[bool, str]:
        """Do one act to one row through its service, audited. Whether it worked, and a sentence for the person."""
        raise NotImplementedError

    # -- the list
    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        return (*self.columns, "tenant") if staff_of(request).is_platform else self.columns

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return (*self.narrowed_by, TenantFilter) if staff_of(request).is_platform else self.narrowed_by

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        sought = as_uuid(term)
        if sought is None:
            return queryset.filter(owner_sub__in=subjects_named(term)), False
        matches = Q()
        for column in self.found_by:
            matches |= Q(**{column: sought})
        return queryset.filter(matches), False

    @display(description="Status")
    def live_status(self, row: Any) -> str:
        return format_html('<span class="badge is-{0}" data-job="{1}">{0}</span>', row.status, row.pk)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """A selection is looked up inside the fence and acted on outside of it: each act commits for itself."""
        if request.method != "POST":
            named = {"title": self.title} if self.title else {}
            page: HttpResponseBase = super().changelist_view(request, {**named, **(extra_context or {})})
            return page
        self.act(request, request.POST.get("action", ""), _ids(request.POST.getlist(ACTION_CHECKBOX_NAME)))
        return HttpResponseRedirect(request.get_full_path())

    # -- acts on a selection: declared for the menu, done in changelist_view
    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        if not self.acts or not staff_of(request).may(self.acts_right):
            return {}
        return {name: (_done_elsewhere, name, description) for name, description in self.acts.items()}

    def act(self, request: HttpRequest, name: str, ids: list[UUID]) -> None:
        """Do one thing to these rows, those of others left out as if they were missing, and say what came of it."""
        if not self.acts:
            raise Http404
        staff = require(request, self.acts_right)
        if name not in self.acts:
            raise Http404
        with reading(staff):
            rows = list(self.get_queryset(request).filter(pk__in=ids))
        if not rows:
            messages.warning(request, f"No {self.one} was selected.")
        for row in rows:
            worked, said = self.perform(staff, name, row)
            messages.add_message(request, messages.SUCCESS if worked else messages.WARNING, said)

    # -- one row
    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path("live", view(self.live_statuses), name=f"{name}_live"),
            path("<uuid:row_id>/live", view(self.live_view), name=f"{name}_live_row"),
            path("<uuid:row_id>/act", view(self.act_view), name=f"{name}_act"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        require(request, self.right)
        row = self.get_object(request, object_id)
        if row is None or request.method not in ("GET", "HEAD"):
            raise Http404
        title = f"{self.one.capitalize()} {row.pk}"
        return site.show(request, "live_row.html", title, **self._shown(request, row))

    def live_view(self, request: HttpRequest, row_id: UUID) -> HttpResponse:
        """The part of a row's page that changes, as HTML; the last answer after its end."""
        require(request, self.right)
        row = self.get_object(request, str(row_id))
        if row is None:
            raise Http404
        shown = self._shown(request, row)
        return render(request, self.live_template, shown, status=STOP_POLLING if shown["ended"] else 200)

    def live_statuses(self, request: HttpRequest) -> JsonResponse:
        """{id: status} of the rows of a list; those that cannot be seen are left out."""
        require(request, self.right)
        ids = _ids(request.GET.get("ids", "").split(","))
        rows = self.model._base_manager.using(alias_for(staff_of(request))).filter(pk__in=ids)
        return JsonResponse({str(row_id): status for row_id, status in rows.values_list("id", "status")})

    def act_view(self, request: HttpRequest, row_id: UUID) -> HttpResponseBase:
        if request.method != "POST" or self.get_object(request, str(row_id)) is None:
            raise Http404
        self.act(request, request.POST.get("action", ""), [row_id])
        return HttpResponseRedirect(f"{self.at}{row_id}/change/")

    def _shown(self, request: HttpRequest, row: Model) -> dict[str, Any]:
        return {"at": self.at, "row_at": f"{self.at}{row.pk}/", "live_template": self.live_template,
                **self.story(request, row)}  # fmt: skip


def _ids(said: Iterable[str]) -> list[UUID]:
    """Those that are ids, as many as a page shows."""
    return [row_id for raw in list(said)[:PAGE_SIZE] if (row_id := as_uuid(raw))]


def _done_elsewhere(*_: Any) -> NoReturn:
    raise RuntimeError("acts on a selection are done by changelist_view")
