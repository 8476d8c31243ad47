"""/v1/models, and the predecessor's /v1/admin/models on the same views: model instances."""

from typing import Any, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.llm import answer_schemas, gateway, schemas, selectors
from apps.llm.models import ModelInstance
from apps.llm.registry import instances, trials
from apps.llm.requests import IF_MATCH, READ, means_own, owner_of
from apps.llm.types import CompletionRequest, Message
from kernel import pagination
from kernel.errors import ValidationError
from kernel.payloads import unstorable
from kernel.web.api import ApiView
from kernel.web.etag import not_modified, strong_etag
from kernel.web.parameters import NO_STORE, flag, idempotency_key, refuse_unknown, version_meant, whole_number
from kernel.web.schema import json_if_changed, json_response, parse_body

FILTERS = frozenset({"tenant_id", "provider_id", "loaded", "enabled", "page_size", "page_token"})
PAGE_SIZE, PAGE_SIZE_MAX = 100, 1000
TRIAL_LIMIT_S = 60.0
KEY_HEADER = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repeat safe.")


class InstanceList(ApiView):
    """Make and list model instances."""

    @extend_schema(
        operation_id="list_model_instances",
        summary="List model instances",
        description="The tenant's own and the platform's, newest first; callers without administrator rights see the "
        "enabled ones.",
        parameters=[
            OpenApiParameter("tenant_id", str, description="The own tenant, or `global`: the platform's."),
            OpenApiParameter("provider_id", str),
            OpenApiParameter("loaded", bool),
            OpenApiParameter("enabled", bool),
            OpenApiParameter("page_size", int, description="1 to 1000; 100 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before."),
        ],
        responses=schemas.InstancePage,
        tags=["models"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, FILTERS)
        principal, asked = principal_of(request), request.query_params
        provider_id = schemas.parse_id(asked["provider_id"], "provider_id") if asked.get("provider_id") else None
        limit = whole_number(asked.get("page_size"), "page_size", default=PAGE_SIZE, most=PAGE_SIZE_MAX)
        wanted = selectors.InstanceFilter(
            owners=_owners(principal.tenant_id, asked.get("tenant_id")),
            provider_id=provider_id,
            loaded=flag(request, "loaded"),
            enabled=flag(request, "enabled"),
            usable_only=not principal.is_admin,
        )
        scope = f"instances:{principal.tenant_id}:{principal.sub}:{wanted}"
        after = pagination.decode_cursor(asked.get("page_token"), scope=scope)
        rows, total = selectors.list_instances(principal.tenant_id, wanted, after=after, limit=limit)
        token = None
        if len(rows) > limit:
            rows = rows[:limit]
            last = pagination.Cursor(rows[-1].created_at, rows[-1].id, (after.offset if after else 0) + limit)
            token = pagination.encode_cursor(last, scope=scope)
        etag = strong_etag("instances", total, token, *(schemas.instance_etag(row) for row in rows))
        if not_modified(request, etag):
            return HttpResponse(status=304, headers={**READ, "ETag": etag})
        items = [schemas.instance_out(row) for row in rows]
        body = {"items": items, "total": total, "etag": etag.strip('"'), "next_page_token": token}
        return json_response(body, headers={**READ, "ETag": etag})

    @extend_schema(
        operation_id="create_model_instance",
        summary="Make a model instance",
        description="The first one becomes its creator's default. A platform's provider takes instances from the "
        "platform's administrators only.",
        request=schemas.InstanceCreate,
        responses={201: schemas.InstanceCreated, 200: schemas.InstanceCreated, 404: None},
        parameters=[KEY_HEADER],
        tags=["models"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        principal, body = principal_of(request), parse_body(schemas.InstanceCreate, request.data)
        made = instances.create_instance(
            tenant_id=owner_of(principal, scope=body.scope, tenant_id=body.tenant_id),
            provider_id=body.provider_id,
            fields=body.as_fields(),
            by=principal,
            idempotency_key=key,
        )
        shown = {**schemas.instance_out(made.instance), "is_default": made.is_default}
        headers = {
            "Location": request.build_absolute_uri(f"/v1/models/instances/{made.instance.id}"),
            "Idempotency-Replayed": "true" if made.replayed else "false",
            "ETag": schemas.instance_etag(made.instance),
        }
        return json_response(shown, status=200 if made.replayed else 201, headers={**NO_STORE, **headers})


class InstanceDetail(ApiView):
    """Read, change and delete a model instance."""

    @extend_schema(
        operation_id="get_model_instance",
        summary="Read a model instance",
        responses=schemas.InstanceOut,
        tags=["models"],
    )
    def get(self, request: Request, instance_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = _seen(request, instance_id)
        headers = {**READ, "ETag": schemas.instance_etag(row)}
        return json_if_changed(request, lambda: schemas.instance_out(row), headers)

    @extend_schema(
        operation_id="change_model_instance",
        summary="Change a model instance",
        request=schemas.InstanceChange,
        responses=schemas.InstanceOut,
        parameters=[IF_MATCH],
        tags=["models"],
    )
    def patch(self, request: Request, instance_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = _seen(request, instance_id)
        body = parse_body(schemas.InstanceChange, request.data)
        version = version_meant(request, schemas.instance_etag(row), row.version, "model instance")
        row = instances.change_instance(row.id, body.as_fields(), by=principal_of(request), expected_version=version)
        return json_response(schemas.instance_out(row), headers={**NO_STORE, "ETag": schemas.instance_etag(row)})

    @extend_schema(
        operation_id="delete_model_instance",
        summary="Delete a model instance",
        description="Defaults that name it go with it; the answer says how many.",
        responses={200: answer_schemas.InstanceDeleted},
        parameters=[IF_MATCH],
        tags=["models"],
    )
    def delete(self, request: Request, instance_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = _seen(request, instance_id)
        version = version_meant(request, schemas.instance_etag(row), row.version, "model instance")
        gone = instances.remove_instance(row.id, by=principal_of(request), expected_version=version)
        return json_response({"id": row.id, "deleted": True, "defaults_removed": gone}, headers=NO_STORE)


class InstanceWarmUp(ApiView):
    """POST has the model ready."""

    @extend_schema(
        operation_id="warm_up_model_instance",
        summary="Have a model ready to answer",
        description="Waits 30 s at most; the job type model.warmup has more time.",
        request=None,
        responses={200: answer_schemas.WarmedUp, 502: None},
        tags=["models"],
    )
    def post(self, request: Request, instance_id: str) -> HttpResponse:
        refuse_unknown(request)
        row, took_ms = trials.warm_up(schemas.parse_id(instance_id, "instance_id"), by=principal_of(request))
        shown = schemas.instance_out(row)
        body = {name: shown[name] for name in ("id", "instance_name", "loaded", "loaded_at")}
        return json_response({**body, "latency_ms": took_ms}, headers=NO_STORE)


class InstanceTests(ApiView):
    """POST asks the model once."""

    @extend_schema(
        operation_id="test_model_instance",
        summary="Ask a model once",
        description="No other model stands in. The call is counted, priced and limited like any other.",
        request=schemas.InstanceTrial,
        responses={200: answer_schemas.TrialOut, 504: None},
        tags=["models"],
    )
    def post(self, request: Request, instance_id: str) -> HttpResponse:
        refuse_unknown(request)
        principal, row = principal_of(request), _seen(request, instance_id)
        body = parse_body(schemas.InstanceTrial, request.data)
        if reason := unstorable(body.response_schema):
            raise ValidationError(f"response_schema: {reason}.", code="invalid_schema")
        messages = (
            (Message("user", body.prompt),)
            if body.prompt is not None
            else tuple(Message(turn.role, turn.content) for turn in body.messages or [])
        )
        result = gateway.complete(
            CompletionRequest(
                tenant_id=principal.tenant_id,
                user_sub=principal.sub,
                messages=messages,
                model=str(row.id),
                response_schema=cast(dict[str, Any] | None, body.response_schema),
                temperature=body.temperature,
                max_tokens=body.max_tokens,
                deadline_s=TRIAL_LIMIT_S,
                purpose="test",
                fallbacks=(),
            )
        )
        return json_response(answer_schemas.trial_out(result), headers=NO_STORE)


def _seen(request: Request, raw_id: str) -> ModelInstance:
    """The instance of the path as far as the caller sees it; a disabled one is for administrators."""
    principal = principal_of(request)
    instance_id = schemas.parse_id(raw_id, "instance_id")
    return selectors.get_instance(principal.tenant_id, instance_id, usable_only=not principal.is_admin)


def _owners(own: UUID, raw: str | None) -> tuple[UUID | None, ...] | None:
    """Whose rows are asked for; another tenant's are none."""
    if not raw:
        return None
    if raw.lower() == "global":
        return (None,)
    return (own,) if means_own(own, raw) else ()
