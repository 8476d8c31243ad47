"""/v1/agent-runs: make a run, follow it, stop it, go on with it."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.agents.models import AgentRun
from apps.agents.runs import schemas
from apps.agents.runs import selectors as run_selectors
from apps.agents.runs import services as run_services
from apps.agents.runs import shown as run_shown
from apps.agents.runs.log import RUN_LOG
from apps.agents.runs.selectors import RunFilter
from apps.agents.sessions import selectors
from apps.agents.states import RUN_STATUSES
from apps.identity.permissions import principal_of
from apps.jobs.event_pages import page_asked, page_response
from kernel import pagination
from kernel.errors import BadRequestError, ForbiddenError, ValidationError
from kernel.payloads import unstorable
from kernel.request_context import current
from kernel.web.api import ApiView
from kernel.web.parameters import NO_STORE, flag, idempotency_key, moment, refuse_unknown
from kernel.web.schema import json_if_changed, json_response, parse_body

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repeat safe for 24 h."
)
PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
LIST_PARAMETERS = [
    OpenApiParameter("status", str, description="One or more statuses, comma-separated."),
    OpenApiParameter("agent", str, description="Name of the agent."),
    OpenApiParameter("created_after", str, description="ISO 8601; that moment included."),
    OpenApiParameter("created_before", str, description="ISO 8601; that moment left out."),
    OpenApiParameter("all", bool, description="Administrators: every owner's runs of the tenant."),
    OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
    OpenApiParameter("page_token", str, description="next_page_token of the page before."),
]
FILTERS = frozenset({"status", "agent", "created_after", "created_before", "all", "limit", "page_token"})


def parse_id(raw: str) -> UUID:
    """A run id from the path; BadRequestError when it is no UUID."""
    return RUN_LOG.parse_id(raw)


def list_response(request: Request, *, session_id: UUID | None) -> HttpResponse:
    """One page of runs, with the filters of the query string."""
    principal, asked = principal_of(request), request.query_params
    statuses = [value for value in asked.get("status", "").split(",") if value]
    if unknown := [value for value in statuses if value not in RUN_STATUSES]:
        raise BadRequestError(
            f"status: unknown value {unknown[0][:50]!r}. Use {', '.join(RUN_STATUSES)}.", code="invalid_filter"
        )
    agent = asked.get("agent") or None
    if agent is not None and "\0" in agent:
        raise BadRequestError("agent: a name does not contain NUL.", code="invalid_filter")
    wanted = RunFilter(
        owner_sub=None if flag(request, "all") and principal.is_admin else principal.sub,
        statuses=tuple(statuses),
        agent=agent,
        session_id=session_id,
        created_after=moment(asked.get("created_after"), "created_after"),
        created_before=moment(asked.get("created_before"), "created_before"),
    )
    limit = pagination.parse_limit(asked.get("limit"))
    scope = f"agent-runs:{principal.tenant_id}:{principal.sub}:{wanted}"
    after = pagination.decode_cursor(asked.get("page_token"), scope=scope)
    runs, total = run_selectors.list_runs(principal, wanted, after=after, limit=limit)
    offset, token = after.offset if after else 0, None
    if len(runs) > limit:
        runs = runs[:limit]
        last = pagination.Cursor(runs[-1].created_at, runs[-1].id, offset + limit)
        token = pagination.encode_cursor(last, scope=scope)
    items = [run_shown.summary_out(run) for run in runs]
    body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
    return json_response(body, headers={**NO_STORE, "Vary": "Authorization"})


class RunList(ApiView):
    """Start a run, list one's own."""

    @extend_schema(
        operation_id="create_agent_run",
        summary="Start a run of an agent",
        description="Answers at once; the run goes on without its caller. A run without `session_id` begins a session "
        "of its own, which the answer names. With `use_jobs=true` an agent.run job follows it.",
        request=schemas.RunCreate,
        responses={201: schemas.RunAccepted, 202: schemas.RunAccepted, 200: schemas.RunAccepted, 404: None},
        parameters=[KEY_HEADER, OpenApiParameter("use_jobs", bool)],
        tags=["agent-runs"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"use_jobs"})
        use_jobs = flag(request, "use_jobs") or False
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        fields = parse_body(schemas.RunCreate, request.data).as_fields()
        for name, value in fields.items():
            if reason := unstorable(value):
                raise ValidationError(
                    "Request validation failed", errors=[{"loc": ["body", name], "msg": reason, "type": "unstorable"}]
                )
        run, replayed = run_services.create_run(
            principal_of(request), fields=fields, idempotency_key=key, use_jobs=use_jobs, context=current()
        )
        headers = {
            "Location": request.build_absolute_uri(f"/v1/agent-runs/{run.id}"),
            "Idempotency-Replayed": "true" if replayed else "false",
            **({"X-Job-Id": str(run.job_id)} if run.job_id else {}),
            **NO_STORE,
        }
        status = 200 if replayed else 202 if use_jobs else 201
        return json_response(run_shown.accepted_out(run), status=status, headers=headers)

    @extend_schema(
        operation_id="list_agent_runs",
        summary="List your runs",
        parameters=[*LIST_PARAMETERS, OpenApiParameter("session_id", str)],
        responses=schemas.RunPage,
        tags=["agent-runs"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, FILTERS | {"session_id"})
        raw = request.query_params.get("session_id")
        try:
            session_id = UUID(raw) if raw else None
        except ValueError as error:
            raise BadRequestError("session_id: a session id is a UUID.", code="invalid_filter") from error
        return list_response(request, session_id=session_id)


class RunAlias(ApiView):
    """POST /v1/agent-runs:run, the predecessor's spelling."""

    @extend_schema(exclude=True)
    def post(self, request: Request) -> HttpResponse:
        return RunList.post(self, request)  # type: ignore[arg-type]


class SessionRuns(ApiView):
    """The runs of a session."""

    @extend_schema(
        operation_id="list_session_runs",
        summary="The runs of a session",
        parameters=LIST_PARAMETERS,
        responses=schemas.RunPage,
        tags=["sessions"],
    )
    def get(self, request: Request, session_id: str) -> HttpResponse:
        refuse_unknown(request, FILTERS)
        try:
            parsed = UUID(session_id)
        except ValueError as error:
            raise BadRequestError("A session id is a UUID.", code="invalid_session_id") from error
        selectors.get_session(principal_of(request), parsed)
        return list_response(request, session_id=parsed)


class RunDetail(ApiView):
    """Read a run, or ask it to stop."""

    @extend_schema(
        operation_id="get_agent_run",
        summary="Read a run",
        responses={200: schemas.RunOut, 304: None},
        tags=["agent-runs"],
    )
    def get(self, request: Request, run_id: str) -> HttpResponse:
        refuse_unknown(request)
        run = _run(request, run_id)
        headers = {**PRIVATE, "ETag": run_shown.run_etag(run)}
        return json_if_changed(request, lambda: run_shown.run_out(run, run_selectors.list_steps(run)), headers)

    @extend_schema(
        operation_id="cancel_agent_run",
        summary="Ask a run to stop",
        description="202: it was told, or had not begun and is cancelled; 200: it had ended. Nothing is deleted.",
        responses={202: schemas.RunCancelled, 200: schemas.RunCancelled},
        tags=["agent-runs"],
    )
    def delete(self, request: Request, run_id: str) -> HttpResponse:
        refuse_unknown(request)
        parsed = parse_id(run_id)
        status, ended = run_services.cancel_run(principal_of(request), parsed)
        body = {"id": parsed, "run_id": parsed, "status": status}
        return json_response(body, status=200 if ended else 202, headers=NO_STORE)


class RunSteps(ApiView):
    """What a run did."""

    @extend_schema(
        operation_id="list_agent_run_steps",
        summary="The steps of a run",
        description="In order; of a step that was repeated, every attempt.",
        responses=schemas.RunStepList,
        tags=["agent-runs"],
    )
    def get(self, request: Request, run_id: str) -> HttpResponse:
        refuse_unknown(request)
        steps = run_selectors.list_steps(_run(request, run_id))
        return json_response([run_shown.step_out(step) for step in steps], headers=PRIVATE)


class RunOutputs(ApiView):
    """What a run answered."""

    @extend_schema(
        operation_id="list_agent_run_outputs",
        summary="The outputs of a run",
        responses=schemas.RunOutputList,
        tags=["agent-runs"],
    )
    def get(self, request: Request, run_id: str) -> HttpResponse:
        refuse_unknown(request)
        return json_response(run_shown.outputs_of(_run(request, run_id)), headers=PRIVATE)


class RunTape(ApiView):
    """What models, tools and the graph answered to a run. For its owner only, not for administrators."""

    @extend_schema(
        operation_id="get_agent_run_tape",
        summary="The tape of a run",
        responses=schemas.Tape,
        tags=["agent-runs"],
    )
    def get(self, request: Request, run_id: str) -> HttpResponse:
        refuse_unknown(request)
        run = _run(request, run_id)
        if run.owner_sub != principal_of(request).sub:
            raise ForbiddenError("A run's tape is for its owner only.", code="not_the_owner")
        items = [run_shown.tape_entry_out(entry) for entry in run_selectors.list_tape(run)]
        return json_response({"run_id": run.id, "items": items, "total": len(items)}, headers=PRIVATE)


class RunResume(ApiView):
    """Go on with a run that failed or was cancelled."""

    @extend_schema(
        operation_id="resume_agent_run",
        summary="Go on with a run that failed or was cancelled",
        description="At its first step that is not done; finished ones are taken over and not paid again. 409 for one "
        "that has not ended, or that succeeded.",
        request=None,
        responses={202: schemas.RunSummary},
        tags=["agent-runs"],
    )
    def post(self, request: Request, run_id: str) -> HttpResponse:
        refuse_unknown(request)
        run = run_services.resume_run(principal_of(request), parse_id(run_id))
        headers = {**NO_STORE, "Location": request.build_absolute_uri(f"/v1/agent-runs/{run.id}")}
        return json_response(run_shown.summary_out(run), status=202, headers=headers)


class RunEventPageView(ApiView):
    """GET /v1/agent-runs/{id}/events?format=json. Without format=json the same address is a stream of server-sent
    events, which the ASGI server answers (``Accept: text/event-stream``, resume by ``Last-Event-ID``)."""

    @extend_schema(
        operation_id="agent_run_events",
        summary="Stream of events, or a page of them",
        parameters=[
            OpenApiParameter("format", str),
            OpenApiParameter("after", int),
            OpenApiParameter("limit", int),
        ],
        responses={200: schemas.RunEventPage, (200, "text/event-stream"): OpenApiTypes.STR},
        tags=["agent-runs"],
    )
    def get(self, request: Request, run_id: str) -> HttpResponse:
        after, limit = page_asked(request)
        run = _run(request, run_id)
        return page_response(RUN_LOG, run_selectors.ref_of(run), run.status, after=after, limit=limit)


def _run(request: Request, run_id: str) -> AgentRun:
    return run_selectors.get_run(principal_of(request), parse_id(run_id))
