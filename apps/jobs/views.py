"""POST, GET and DELETE of /v1/jobs, and an administrator's look at all jobs of the tenant."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.jobs import schemas, selectors, services
from apps.jobs.event_pages import page_asked, page_response
from apps.jobs.job_log import JOB_LOG
from apps.jobs.states import STATUSES
from apps.jobs.types import JOB_TYPES
from kernel import pagination
from kernel.errors import BadRequestError
from kernel.web.api import ApiView
from kernel.web.parameters import idempotency_key, refuse_unknown
from kernel.web.schema import json_if_changed, json_response, parse_body

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repeat safe for 24 h."
)
LIST_PARAMETERS = [
    OpenApiParameter("status", str, description="One or more statuses, comma-separated."),
    OpenApiParameter("type", str, description="One or more types, comma-separated."),
    OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
    OpenApiParameter("page_token", str, description="next_page_token of the page before."),
]


def parse_id(raw: str) -> UUID:
    """A job id from the path; BadRequestError when it is no UUID."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise BadRequestError("A job id is a UUID.", code="invalid_job_id") from error


def request_id_of(request: Request) -> str:
    """The request's name, as apps.edge.trace left it."""
    return str(getattr(request, "request_id", ""))


def chosen(request: Request, name: str, known: Any) -> list[str]:
    """A comma-separated filter whose values must all be known."""
    values = [value for value in request.query_params.get(name, "").split(",") if value]
    unknown = [value for value in values if value not in known]
    if unknown:
        raise BadRequestError(
            f"{name}: unknown value {unknown[0][:50]!r}. Use {', '.join(known)}.", code="invalid_filter"
        )
    return values


def accepted_response(request: HttpRequest, accepted: services.Accepted, status: int) -> HttpResponse:
    """202 or 200 with Location, and whether the answer is a replay."""
    return HttpResponse(
        accepted.body,
        status=status,
        content_type="application/json",
        headers={
            "Location": request.build_absolute_uri(f"/v1/jobs/{accepted.job_id}"),
            "Idempotency-Replayed": "true" if accepted.replayed else "false",
            "Cache-Control": "no-store",
        },
    )


def list_response(request: Request, *, route: str, owner_sub: str | None, dead_letters: bool = False) -> HttpResponse:
    """One page of jobs, with the filters of the query string."""
    principal = principal_of(request)
    statuses, types = chosen(request, "status", STATUSES), chosen(request, "type", JOB_TYPES)
    limit = pagination.parse_limit(request.query_params.get("limit"))
    scope = f"{route}:{principal.tenant_id}:{principal.sub}:{owner_sub}:{statuses}:{types}:{dead_letters}"
    after = pagination.decode_cursor(request.query_params.get("page_token"), scope=scope)
    jobs, total = selectors.list_jobs(
        principal,
        statuses=statuses,
        types=types,
        owner_sub=owner_sub,
        dead_letters=dead_letters,
        after=after,
        limit=limit,
    )
    offset = after.offset if after else 0
    token = None
    if len(jobs) > limit:
        jobs = jobs[:limit]
        token = pagination.encode_cursor(
            pagination.Cursor(jobs[-1].created_at, jobs[-1].id, offset + limit), scope=scope
        )
    items = [schemas.job_out(job, selectors.withheld(principal, job)) for job in jobs]
    body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
    return json_response(body, headers={"Cache-Control": "private, max-age=30", "Vary": "Authorization, X-Tenant-Id"})


class JobList(ApiView):
    """Create a job, list one's own."""

    @extend_schema(
        operation_id="create_job",
        summary="Create a job",
        request=schemas.JobCreate,
        responses={202: schemas.JobAccepted, 200: schemas.JobAccepted},
        parameters=[KEY_HEADER],
    )
    def post(self, request: Request) -> HttpResponse:
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        body = parse_body(schemas.JobCreate, request.data)
        accepted = services.create_job(
            principal_of(request),
            type_name=body.type,
            payload=body.payload,
            priority=body.priority,
            idempotency_key=key,
            request_id=request_id_of(request),
        )
        return accepted_response(request._request, accepted, 200 if accepted.replayed else 202)

    @extend_schema(
        operation_id="list_jobs", summary="List your jobs", parameters=LIST_PARAMETERS, responses=schemas.JobPage
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"status", "type", "limit", "page_token"})
        return list_response(request, route="jobs", owner_sub=principal_of(request).sub)


class JobTypes(ApiView):
    """The job types and the JSON Schemas of their payloads."""

    @extend_schema(
        operation_id="list_job_types", summary="Job types and their payload schemas", responses=schemas.JobTypePage
    )
    def get(self, request: Request) -> HttpResponse:
        return json_response(schemas.types_out(), headers={"Cache-Control": "private, max-age=30"})


class JobStats(ApiView):
    """Counts of one's own jobs over the last hours."""

    @extend_schema(
        operation_id="job_stats",
        summary="Counts of your jobs",
        parameters=[OpenApiParameter("hours", int)],
        responses=schemas.JobStatsOut,
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"hours"})
        raw = request.query_params.get("hours", "24")
        if not raw.isascii() or not raw.isdigit() or len(raw) > 6 or not 1 <= int(raw) <= 720:
            raise BadRequestError("hours must be a whole number from 1 to 720.", code="invalid_hours")
        principal = principal_of(request)
        owner_sub = None if principal.is_admin else principal.sub
        return json_response(selectors.job_stats(principal, hours=int(raw), owner_sub=owner_sub))


class JobDetail(ApiView):
    """Read a job, or ask it to stop."""

    @extend_schema(operation_id="get_job", summary="Read a job", responses={200: schemas.JobOut, 304: None})
    def get(self, request: Request, job_id: str) -> HttpResponse:
        principal = principal_of(request)
        job = selectors.get_job(principal, parse_id(job_id))
        withheld = selectors.withheld(principal, job)
        headers = {
            "ETag": schemas.job_etag(job, withheld),
            "Cache-Control": "private, max-age=15",
            "Vary": "Authorization, X-Tenant-Id",
        }
        return json_if_changed(request, lambda: schemas.job_out(job, withheld), headers)

    @extend_schema(
        operation_id="cancel_job",
        summary="Ask a job to stop",
        responses={202: schemas.JobCancelled, 200: schemas.JobCancelled},
    )
    def delete(self, request: Request, job_id: str) -> HttpResponse:
        parsed = parse_id(job_id)
        status, ended = services.cancel_job(principal_of(request), parsed)
        return json_response(
            {"id": parsed, "status": status},
            status=200 if ended else 202,
            headers={"Cache-Control": "no-store"},
        )


class JobEventPage(ApiView):
    """GET /v1/jobs/{id}/events?format=json: the events as a page. Without format=json the same address is a stream of
    server-sent events, which the ASGI server answers (``Accept: text/event-stream``, resume by ``Last-Event-ID``)."""

    @extend_schema(
        operation_id="job_events",
        summary="Stream of events, or a page of them",
        parameters=[
            OpenApiParameter("format", str),
            OpenApiParameter("after", int),
            OpenApiParameter("limit", int),
        ],
        responses={200: schemas.EventPage, (200, "text/event-stream"): OpenApiTypes.STR},
    )
    def get(self, request: Request, job_id: str) -> HttpResponse:
        after, limit = page_asked(request)
        job = selectors.get_job(principal_of(request), parse_id(job_id))
        return page_response(JOB_LOG, selectors.ref_of(job), job.status, after=after, limit=limit)


class JobRetry(ApiView):
    """Run an ended job again, as a new job."""

    @extend_schema(
        operation_id="retry_job", summary="Run an ended job again", request=None, responses={202: schemas.JobAccepted}
    )
    def post(self, request: Request, job_id: str) -> HttpResponse:
        accepted = services.retry_job(principal_of(request), parse_id(job_id), request_id=request_id_of(request))
        return accepted_response(request._request, accepted, 202)


class AdminJobList(ApiView):
    """Every owner's jobs in the administrator's tenant; ``?dead_letter=true`` shows those that await a retry."""

    @extend_schema(
        operation_id="admin_list_jobs",
        summary="Every owner's jobs in the tenant",
        parameters=[*LIST_PARAMETERS, OpenApiParameter("owner", str), OpenApiParameter("dead_letter", bool)],
        responses=schemas.JobPage,
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"status", "type", "limit", "page_token", "owner", "user_id", "dead_letter"})
        owner = request.query_params.get("owner") or request.query_params.get("user_id")
        if owner and "\0" in owner:
            raise BadRequestError("owner: a name does not contain NUL.", code="invalid_filter")
        dead_letter = request.query_params.get("dead_letter", "false")
        if dead_letter not in ("true", "false"):
            raise BadRequestError("dead_letter must be true or false.", code="invalid_filter")
        return list_response(request, route="admin-jobs", owner_sub=owner, dead_letters=dead_letter == "true")

    @extend_schema(
        operation_id="admin_create_job",
        summary="Create a job",
        request=schemas.JobCreate,
        responses={202: schemas.JobAccepted, 200: schemas.JobAccepted},
        parameters=[KEY_HEADER],
    )
    def post(self, request: Request) -> HttpResponse:
        return JobList.post(self, request)  # type: ignore[arg-type]


@extend_schema_view(
    get=extend_schema(operation_id="admin_get_job", summary="Read a job"),
    delete=extend_schema(operation_id="admin_cancel_job", summary="Ask a job to stop"),
)
class AdminJobDetail(JobDetail):
    """As /v1/jobs/{id}; apps/identity/access.py says that it is for administrators only."""
