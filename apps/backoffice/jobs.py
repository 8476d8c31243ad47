"""Jobs and dead letters: lists that keep their statuses up to date, a job's story, and what can be done to it."""

from typing import Any

from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.backoffice import filters, job_acts
from apps.backoffice.documents import listed, pretty
from apps.backoffice.live_rows import EVENTS_SHOWN, LiveRows
from apps.backoffice.models import DeadLetter
from apps.backoffice.reading import alias_for
from apps.backoffice.rights import JOBS, JOBS_ACT, Staff, staff_of
from apps.backoffice.site import site
from apps.identity.selectors import username_of
from apps.jobs.models import Job, JobEvent
from apps.jobs.states import STATUSES, TERMINAL
from apps.jobs.types import JOB_TYPES

StatusFilter = filters.one_of("status", "status", STATUSES)
TypeFilter = filters.one_of("type", "type", tuple(JOB_TYPES))
OwnerFilter = filters.person("owner", "owner", "owner_sub")
RETRY = {"retry": "Run the selected ended jobs again"}


class JobAdmin(LiveRows):
    """Every job of the tenant; for a platform administrator of all tenants."""

    right = JOBS
    one = "job"
    at = "/admin/jobs/job/"
    columns: tuple[str, ...] = ("short_id", "live_status", "type", "who", "created_at", "attempt", "crashes")
    narrowed_by: tuple[Any, ...] = (StatusFilter, TypeFilter, OwnerFilter)
    search_help_text = "The id of a job, or its owner's name"
    acts_right = JOBS_ACT
    acts = {"cancel": "Cancel the selected jobs", **RETRY, "requeue": "Put the selected queued jobs in front"}
    live_template = "backoffice/job_live.html"

    @display(description="Job")
    def short_id(self, job: Job) -> str:
        return str(job.pk)

    def perform(self, staff: Staff, name: str, row: Job) -> tuple[bool, str]:
        return job_acts.perform(staff, name, row)

    def story(self, request: HttpRequest, row: Job) -> dict[str, Any]:
        staff = staff_of(request)
        rows = JobEvent._base_manager.using(alias_for(staff)).filter(job_id=row.pk, job_created_at=row.created_at)
        events = [
            {"seq": event.seq_id, "type": event.event_type, "at": event.created_at, "text": pretty(event.event_json)}
            for event in rows.order_by("-seq_id")[:EVENTS_SHOWN]
        ]
        return {
            "job": row,
            "owner_name": username_of(row.owner_sub),
            "ended": row.status in TERMINAL,
            "offered": job_acts.offered(row) if staff.may(JOBS_ACT) else [],
            "events": events,
            "events_left_out": max(0, row.last_seq - len(events)),
            "documents": listed(
                (
                    ("Payload", row.payload_json),
                    ("Result", row.result_json),
                    ("Error", row.error_json),
                    ("Submitted with", row.principal_json),
                )
            ),
        }


class DeadLetterAdmin(JobAdmin):
    """Jobs that failed after their last attempt. A retry takes them off this list."""

    ordering = ("-dead_lettered_at", "-id")
    columns = ("short_id", "type", "who", "dead_lettered_at", "reason", "crashes")
    narrowed_by = (TypeFilter, OwnerFilter)
    acts = RETRY

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(dead_lettered_at__isnull=False)

    @display(description="Reason")
    def reason(self, job: Job) -> str:
        error = job.error_json if isinstance(job.error_json, dict) else {}
        return str(error.get("reason") or "")[:100]


site.register(Job, JobAdmin)
site.register(DeadLetter, DeadLetterAdmin)
