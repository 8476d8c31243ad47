"""/v1/auth: what the platform thinks of the caller, and of a token."""

from typing import Any

import structlog
from django.db import DatabaseError
from django.http import HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import FormParser, JSONParser
from rest_framework.request import Request

from apps.identity import rbac
from apps.identity.introspection import describe_to
from apps.identity.principal import Principal
from apps.identity.schemas import Introspection, IntrospectionRequest, Me, Permissions, PermissionVerdict
from apps.identity.selectors import username_of
from apps.identity.standing import is_platform_admin
from kernel.errors import BadRequestError
from kernel.web.api import ApiView
from kernel.web.parameters import refuse_unknown
from kernel.web.schema import json_response, parse_body

log = structlog.get_logger("identity")
PRIVATE = {"Cache-Control": "no-store", "Vary": "Authorization"}


class MeView(ApiView):
    """GET /v1/auth/me."""

    @extend_schema(operation_id="auth_me", summary="Who am I", responses={200: Me}, tags=["auth"])
    def get(self, request: Request) -> HttpResponse:
        principal = _caller(request)
        body = Me(
            sub=principal.sub,
            username=_username(principal.sub),
            tenant_id=principal.tenant_id,
            role=rbac.leading_role(principal),
            roles=sorted(principal.roles),
            scopes=sorted(principal.scopes),
            permissions=sorted(rbac.permissions_of(principal)),
            platform_admin=is_platform_admin(principal),
        )
        return json_response(body.model_dump(mode="json"), headers=PRIVATE)


class PermissionsView(ApiView):
    """GET /v1/auth/permissions."""

    @extend_schema(
        operation_id="auth_permissions",
        summary="What may I do, and why",
        parameters=[OpenApiParameter("permission", str, description="Only this one, as resource:action.")],
        responses={200: Permissions},
        tags=["auth"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"permission"})
        wanted = request.query_params.getlist("permission") or list(rbac.PERMISSIONS)
        if any(permission not in rbac.PERMISSIONS for permission in wanted):
            raise BadRequestError(
                "permission: no such permission. Leave the parameter out to see them all.", code="unknown_permission"
            )
        principal = _caller(request)
        verdicts = {permission: rbac.verdict(principal, permission) for permission in wanted}
        body = Permissions(
            roles=sorted(principal.roles),
            scopes=sorted(principal.scopes),
            items=[
                PermissionVerdict(
                    permission=permission,
                    allowed=verdict.allowed,
                    reason=verdict.reason,
                    required_scope=rbac.scope_for(permission),
                )
                for permission, verdict in verdicts.items()
            ],
        )
        return json_response(body.model_dump(mode="json"), headers=PRIVATE)


class IntrospectView(ApiView):
    """POST /v1/auth/introspect. Clients that have no token of their own ask at /oidc/introspect."""

    parser_classes = [JSONParser, FormParser]

    @extend_schema(
        operation_id="auth_introspect",
        summary="Whether a token is valid, and what it says",
        request={"application/json": IntrospectionRequest, "application/x-www-form-urlencoded": IntrospectionRequest},
        responses={200: Introspection},
        tags=["auth"],
    )
    def post(self, request: Request) -> HttpResponse:
        body = parse_body(IntrospectionRequest, _fields(request.data))
        described = Introspection.model_validate(describe_to(_caller(request), body.token))
        return json_response(described.model_dump(mode="json", exclude_unset=True), headers=PRIVATE)


def _caller(request: Request) -> Principal:
    """The caller, as apps.edge.auth left it."""
    return request.user  # type: ignore[return-value]


def _fields(data: Any) -> Any:
    """A form's fields, each of which may stand there once (RFC 6749, 3.1); JSON as it is."""
    if not isinstance(data, QueryDict):
        return data
    if any(len(values) > 1 for _, values in data.lists()):
        raise BadRequestError("A parameter may be given once.", code="repeated_parameter")
    return data.dict()


def _username(sub: str) -> str | None:
    """A nicety: without the accounts' database the answer is still right, only nameless."""
    try:
        return username_of(sub)
    except DatabaseError as error:
        log.warning("username_unknown", error=type(error).__name__)
        return None
