"""/v1/sessions, and the predecessor's /v1/agents/sessions on the same views."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.agents.sessions import schemas, selectors, services
from apps.agents.sessions.cache import as_document
from apps.agents.states import SESSION_STATUSES
from apps.identity.permissions import principal_of
from apps.jobs.schemas import parse_event_id
from kernel import pagination
from kernel.errors import BadRequestError, ValidationError
from kernel.payloads import unstorable
from kernel.web.api import ApiView
from kernel.web.parameters import NO_STORE, idempotency_key, refuse_unknown, version_meant
from kernel.web.schema import json_if_changed, json_response, parse_body

KEY_HEADER = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repeat safe.")
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag of the version meant.")
STEP_PAGE = 50
STEP_PAGE_MAX = 100


def parse_id(raw: str) -> UUID:
    """A session id from the path; BadRequestError when it is no UUID."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise BadRequestError("A session id is a UUID.", code="invalid_session_id") from error


def storable(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, unless PostgreSQL cannot hold one of them."""
    for name, value in fields.items():
        if reason := unstorable(value):
            raise ValidationError(
                "Request validation failed", errors=[{"loc": ["body", name], "msg": reason, "type": "unstorable"}]
            )
    return fields


class SessionList(ApiView):
    """Begin a session, list one's own."""

    @extend_schema(
        operation_id="create_session",
        summary="Begin a session",
        request=schemas.SessionCreate,
        responses={201: schemas.SessionOut, 200: schemas.SessionOut},
        parameters=[KEY_HEADER],
        tags=["sessions"],
    )
    def post(self, request: Request) -> HttpResponse:
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        body = parse_body(schemas.SessionCreate, request.data)
        fields = storable(body.model_dump(mode="json", exclude={"session_id"}))
        session, replayed = services.create_session(
            principal_of(request), fields=fields, session_id=body.session_id, idempotency_key=key
        )
        document = as_document(session)
        return json_response(
            schemas.session_out(document),
            status=200 if replayed else 201,
            headers={
                "Location": request.build_absolute_uri(f"/v1/sessions/{session.id}"),
                "Idempotency-Replayed": "true" if replayed else "false",
                "ETag": schemas.session_etag(document),
                **NO_STORE,
            },
        )

    @extend_schema(
        operation_id="list_sessions",
        summary="List your sessions",
        parameters=[
            OpenApiParameter("status", str, enum=list(SESSION_STATUSES)),
            OpenApiParameter("all", bool, description="Administrators: every owner's sessions of the tenant."),
            OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before; also as `cursor`."),
        ],
        responses=schemas.SessionPage,
        tags=["sessions"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"status", "all", "limit", "page_token", "cursor"})
        principal, query = principal_of(request), request.query_params
        status = query.get("status") or None
        if status is not None and status not in SESSION_STATUSES:
            raise BadRequestError(f"status must be one of {', '.join(SESSION_STATUSES)}.", code="invalid_filter")
        if query.get("all", "false") not in ("true", "false"):
            raise BadRequestError("all must be true or false.", code="invalid_filter")
        owner_sub = None if query.get("all") == "true" and principal.is_admin else principal.sub
        limit = pagination.parse_limit(query.get("limit"))
        scope = f"sessions:{principal.tenant_id}:{principal.sub}:{owner_sub}:{status}"
        after = pagination.decode_cursor(query.get("page_token") or query.get("cursor"), scope=scope)
        sessions, total = selectors.list_sessions(
            principal, status=status, owner_sub=owner_sub, after=after, limit=limit
        )
        offset, token = after.offset if after else 0, None
        if len(sessions) > limit:
            sessions = sessions[:limit]
            last = pagination.Cursor(sessions[-1].created_at, sessions[-1].id, offset + limit)
            token = pagination.encode_cursor(last, scope=scope)
        items = [schemas.session_row_out(session) for session in sessions]
        body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
        return json_response({**body, "next_cursor": token}, headers={"Vary": "Authorization", **NO_STORE})


class SessionDetail(ApiView):
    """Read or cancel a session."""

    @extend_schema(
        operation_id="get_session", summary="Read a session", responses=schemas.SessionOut, tags=["sessions"]
    )
    def get(self, request: Request, session_id: str) -> HttpResponse:
        document = selectors.session_document(principal_of(request), parse_id(session_id))
        etag = schemas.session_etag(document)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
        return json_if_changed(request, lambda: schemas.session_out(document), headers)

    @extend_schema(
        operation_id="change_session",
        summary="Change a session",
        description="Its owner's own, while it is active. Holds for runs that are made from now on.",
        request=schemas.SessionChange,
        responses=schemas.SessionOut,
        parameters=[IF_MATCH],
        tags=["sessions"],
    )
    def patch(self, request: Request, session_id: str) -> HttpResponse:
        principal, parsed = principal_of(request), parse_id(session_id)
        fields = storable(parse_body(schemas.SessionChange, request.data).as_fields())
        seen = selectors.get_session(principal, parsed)
        version = version_meant(request, schemas.session_etag(as_document(seen)), seen.version, "session")
        document = as_document(services.change_session(principal, parsed, fields, expected_version=version))
        headers = {"ETag": schemas.session_etag(document), **NO_STORE}
        return json_response(schemas.session_out(document), headers=headers)

    @extend_schema(operation_id="cancel_session", summary="End a session", responses={204: None}, tags=["sessions"])
    def delete(self, request: Request, session_id: str) -> HttpResponse:
        services.cancel_session(principal_of(request), parse_id(session_id))
        return HttpResponse(status=204, headers=NO_STORE)


class SessionSteps(ApiView):
    """The log of a session."""

    @extend_schema(
        operation_id="list_session_steps",
        summary="The steps of a session",
        parameters=[
            OpenApiParameter("limit", int, description="1 to 100; 50 by default."),
            OpenApiParameter("cursor", int, description="Number of the last step you have; also as `page_token`."),
        ],
        responses=schemas.StepPage,
        tags=["sessions"],
    )
    def get(self, request: Request, session_id: str) -> HttpResponse:
        refuse_unknown(request, {"limit", "cursor", "page_token"})
        query = request.query_params
        limit = parse_event_id(query.get("limit")) if "limit" in query else STEP_PAGE
        if not 1 <= limit <= STEP_PAGE_MAX:
            raise BadRequestError(f"limit must be a whole number from 1 to {STEP_PAGE_MAX}.", code="invalid_limit")
        after = parse_event_id(query.get("cursor") or query.get("page_token"))
        steps, more = selectors.list_steps(principal_of(request), parse_id(session_id), after_seq=after, limit=limit)
        cursor = str(steps[-1].seq) if more else None
        body = {
            "items": [schemas.step_out(step) for step in steps],
            "has_more": more,
            "next_cursor": cursor,
            "next_page_token": cursor,
        }
        return json_response(body, headers={"Vary": "Authorization", **NO_STORE})

    @extend_schema(
        operation_id="create_session_step",
        summary="Add a step to a session",
        request=schemas.StepCreate,
        responses={201: schemas.StepOut, 200: schemas.StepOut},
        parameters=[KEY_HEADER],
        tags=["sessions"],
    )
    def post(self, request: Request, session_id: str) -> HttpResponse:
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        body = parse_body(schemas.StepCreate, request.data)
        step, replayed = services.add_step(
            principal_of(request), parse_id(session_id), fields=storable(body.model_dump()), idempotency_key=key
        )
        return json_response(
            schemas.step_out(step),
            status=200 if replayed else 201,
            headers={
                "Location": request.build_absolute_uri(f"/v1/sessions/{step.session_id}/steps/{step.id}"),
                "Idempotency-Replayed": "true" if replayed else "false",
                **NO_STORE,
            },
        )


class SessionStepDetail(ApiView):
    """One step of a session."""

    @extend_schema(operation_id="get_session_step", summary="Read a step", responses=schemas.StepOut, tags=["sessions"])
    def get(self, request: Request, session_id: str, step_id: str) -> HttpResponse:
        step = selectors.get_step(principal_of(request), parse_id(session_id), parse_id(step_id))
        return json_response(schemas.step_out(step), headers={"Vary": "Authorization", **NO_STORE})
