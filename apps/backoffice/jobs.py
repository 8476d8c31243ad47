"""Jobs and dead letters: lists that keep their statuses up to date, a job's story, and what can be done to it."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import display
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.html import format_html

from apps.backoffice import filters, job_acts
from apps.backoffice.models import DeadLetter
from apps.backoffice.reading import alias_for, as_uuid, reading
from apps.backoffice.rights import JOBS, JOBS_ACT, require, staff_of
from apps.backoffice.scoped_admin import PAGE_SIZE, ScopedAdmin
from apps.backoffice.site import site
from apps.identity.selectors import username_of
from apps.jobs.models import Job, JobEvent
from apps.jobs.states import STATUSES, TERMINAL
from apps.jobs.types import JOB_TYPES

EVENTS_SHOWN = 200
STOP_POLLING = 286  # htmx's own status: take this answer and ask no more

StatusFilter = filters.one_of("status", "status", STATUSES)
TypeFilter = filters.one_of("type", "type", tuple(JOB_TYPES))
OwnerFilter = filters.typed_in("owner", "owner", "owner_sub")
TenantFilter = filters.tenant_of("tenant_id")


class JobAdmin(ScopedAdmin):
    """Every job of the tenant; for a platform administrator of all tenants."""

    right = JOBS
    search_fields = ("id",)
    search_help_text = "The id of a job, or its owner exactly"
    ordering = ("-created_at", "-id")
    sortable_by = ()
    actions: tuple[str, ...] = ("cancel", "retry", "requeue")
    list_before_template = "backoffice/live_list.html"

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("short_id", "live_status", "type", "owner_sub", "created_at", "attempt", "crashes")
        return (*shown, "tenant") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        filters_of_all = (StatusFilter, TypeFilter, OwnerFilter)
        return (*filters_of_all, TenantFilter) if staff_of(request).is_platform else filters_of_all

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("tenant")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        job_id = as_uuid(term)
        return (queryset.filter(owner_sub=term) if job_id is None else queryset.filter(pk=job_id)), False

    @display(description="Job")
    def short_id(self, job: Job) -> str:
        return str(job.pk)

    @display(description="Status")
    def live_status(self, job: Job) -> str:
        return format_html('<span class="badge is-{0}" data-job="{1}">{0}</span>', job.status, job.pk)

    # -- acts on a selection: declared for the menu, done in changelist_view
    def _menu_entry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        raise RuntimeError("acts on a selection are done by changelist_view")

    @display(description="Cancel the selected jobs")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._menu_entry(request, queryset)

    @display(description="Run the selected ended jobs again")
    def retry(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._menu_entry(request, queryset)

    @display(description="Put the selected queued jobs in front")
    def requeue(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._menu_entry(request, queryset)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_actions(request) if staff_of(request).may(JOBS_ACT) else {}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:
        """A selection is looked up inside the fence and acted on outside of it: each act commits for itself."""
        if request.method != "POST":
            return super().changelist_view(request, extra_context)
        name = request.POST.get("action", "")
        ids = [job_id for raw in request.POST.getlist(ACTION_CHECKBOX_NAME)[:PAGE_SIZE] if (job_id := as_uuid(raw))]
        self.act(request, name, ids)
        return HttpResponseRedirect(request.get_full_path())

    def act(self, request: HttpRequest, name: str, ids: list[UUID]) -> None:
        """Do one thing to these jobs, those of others left out as if they were missing, and say what came of it."""
        require(request, JOBS_ACT)
        if name not in self.actions or name not in job_acts.ACTS:
            raise Http404
        staff = staff_of(request)
        with reading(staff):
            jobs = list(self.get_queryset(request).filter(pk__in=ids))
        if not jobs:
            messages.warning(request, "No job was selected.")
        for job in jobs:
            worked, said = job_acts.perform(staff, name, job)
            messages.add_message(request, messages.SUCCESS if worked else messages.WARNING, said)

    # -- one job
    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        own = [
            path("live", self.admin_site.admin_view(self.live_statuses), name=f"{name}_live"),
            path("<uuid:job_id>/live", self.admin_site.admin_view(self.live_view), name=f"{name}_live_job"),
            path("<uuid:job_id>/act", self.admin_site.admin_view(self.act_view), name=f"{name}_act"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponseBase:
        require(request, self.right)
        job = self.get_object(request, object_id)
        if job is None or request.method not in ("GET", "HEAD"):
            raise Http404
        return site.show(request, "job.html", f"Job {job.pk}", **self._story(request, job))

    def live_view(self, request: HttpRequest, job_id: UUID) -> HttpResponse:
        """The part of a job's page that changes, as HTML; the last answer after its end."""
        require(request, self.right)
        job = self.get_object(request, str(job_id))
        if job is None:
            raise Http404
        ended = job.status in TERMINAL
        return render(
            request, "backoffice/job_live.html", self._story(request, job), status=STOP_POLLING if ended else 200
        )

    def live_statuses(self, request: HttpRequest) -> JsonResponse:
        """{id: status} of the jobs of a list; those that cannot be seen are left out."""
        require(request, self.right)
        ids = [job_id for raw in request.GET.get("ids", "").split(",")[:PAGE_SIZE] if (job_id := as_uuid(raw))]
        rows = Job._base_manager.using(alias_for(staff_of(request))).filter(pk__in=ids)
        return JsonResponse({str(job_id): status for job_id, status in rows.values_list("id", "status")})

    def act_view(self, request: HttpRequest, job_id: UUID) -> HttpResponseBase:
        if request.method != "POST":
            raise Http404
        job = self.get_object(request, str(job_id))
        if job is None:
            raise Http404
        self.act(request, request.POST.get("action", ""), [job_id])
        return HttpResponseRedirect(f"/admin/jobs/job/{job_id}/change/")

    def _story(self, request: HttpRequest, job: Job) -> dict[str, Any]:
        staff = staff_of(request)
        rows = JobEvent._base_manager.using(alias_for(staff)).filter(job_id=job.pk, job_created_at=job.created_at)
        events = [
            {"seq": row.seq_id, "type": row.event_type, "at": row.created_at, "text": _pretty(row.event_json)}
            for row in rows.order_by("-seq_id")[:EVENTS_SHOWN]
        ]
        return {
            "job": job,
            "owner_name": username_of(job.owner_sub),
            "ended": job.status in TERMINAL,
            "acts": job_acts.offered(job) if staff.may(JOBS_ACT) else [],
            "events": events,
            "events_left_out": max(0, job.last_seq - len(events)),
            "documents": [
                (title, _pretty(document))
                for title, document in (
                    ("Payload", job.payload_json),
                    ("Result", job.result_json),
                    ("Error", job.error_json),
                    ("Submitted with", job.principal_json),
                )
                if document is not None
            ],
        }


class DeadLetterAdmin(JobAdmin):
    """Jobs that failed after their last attempt. A retry takes them off this list."""

    ordering = ("-dead_lettered_at", "-id")
    actions = ("retry",)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        shown = ("short_id", "type", "owner_sub", "dead_lettered_at", "reason", "crashes")
        return (*shown, "tenant") if staff_of(request).is_platform else shown

    def get_list_filter(self, request: HttpRequest) -> tuple[Any, ...]:
        return (TypeFilter, OwnerFilter, TenantFilter) if staff_of(request).is_platform else (TypeFilter, OwnerFilter)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(dead_lettered_at__isnull=False)

    @display(description="Reason")
    def reason(self, job: Job) -> str:
        error = job.error_json if isinstance(job.error_json, dict) else {}
        return str(error.get("reason") or "")[:100]


def _pretty(document: Any) -> str:
    """JSON for reading; the template escapes it."""
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True)


site.register(Job, JobAdmin)
site.register(DeadLetter, DeadLetterAdmin)
