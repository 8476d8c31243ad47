"""/v1/admin/models/manifests: documents of providers and models, staged, activated and gone back from."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.identity.standing import is_platform_admin
from apps.llm import manifest_schemas as schemas
from apps.llm import selectors
from apps.llm.registry import manifests
from apps.llm.requests import READ, owner_of
from kernel import pagination
from kernel.web.api import ApiView
from kernel.web.parameters import NO_STORE, refuse_unknown
from kernel.web.schema import json_response, parse_body


class Builtins(ApiView):
    """What comes with the platform."""

    @extend_schema(
        operation_id="list_builtin_manifests",
        summary="Manifests that come with the platform",
        responses=schemas.BuiltinList,
        tags=["manifests"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        items = schemas.builtins_out()
        return json_response({"items": items, "total": len(items)}, headers=READ)


class Staged(ApiView):
    """POST checks a manifest and keeps it."""

    @extend_schema(
        operation_id="stage_manifest",
        summary="Stage a manifest",
        description="It is checked as if its parts were entered by hand; nothing changes yet.",
        request=schemas.ManifestStage,
        responses={201: schemas.ManifestOut, 404: None},
        tags=["manifests"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        principal, body = principal_of(request), parse_body(schemas.ManifestStage, request.data)
        row = manifests.stage(
            tenant_id=owner_of(principal, scope=body.scope, tenant_id=None),
            by=principal,
            document=None if body.builtin else body.as_document(),
            builtin=body.builtin,
        )
        return json_response(schemas.manifest_out(row), status=201, headers=NO_STORE)


class Activations(ApiView):
    """POST lays a staged manifest over what is there."""

    @extend_schema(
        operation_id="activate_manifest",
        summary="Activate a manifest",
        description="Its providers and instances are made or changed, all of them or none. Others stay as they are.",
        request=schemas.ManifestActivation,
        responses={200: schemas.ManifestLaid, 404: None},
        tags=["manifests"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        body = parse_body(schemas.ManifestActivation, request.data)
        row, laid = manifests.activate(body.manifest_id, by=principal_of(request))
        return json_response(schemas.manifest_out(row, laid), headers=NO_STORE)


class History(ApiView):
    """What was staged and activated."""

    @extend_schema(
        operation_id="list_manifests",
        summary="Manifests, newest first",
        parameters=[OpenApiParameter("limit", int, description="1 to 50; 25 by default.")],
        responses=schemas.ManifestList,
        tags=["manifests"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, frozenset({"limit"}))
        limit = pagination.parse_limit(request.query_params.get("limit"))
        principal = principal_of(request)
        rows, total = selectors.list_manifests(principal.tenant_id, limit=limit)
        sees_all = is_platform_admin(principal)
        items = [schemas.manifest_out(row, whole=sees_all or row.tenant_id is not None) for row in rows]
        return json_response({"items": items, "total": total}, headers=READ)


class Rollbacks(ApiView):
    """POST lays back what the activation found."""

    @extend_schema(
        operation_id="roll_back_manifest",
        summary="Go back from the active manifest",
        description="What its activation made is removed, what it changed is restored; the manifest before it is "
        "active again. Keys do not come back.",
        request=schemas.ManifestRollback,
        responses={200: schemas.ManifestLaid, 404: None},
        tags=["manifests"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        principal, body = principal_of(request), parse_body(schemas.ManifestRollback, request.data)
        row, laid = manifests.roll_back(
            tenant_id=owner_of(principal, scope=body.scope, tenant_id=None),
            by=principal,
            manifest_id=body.manifest_id,
        )
        return json_response(schemas.manifest_out(row, laid), headers=NO_STORE)
