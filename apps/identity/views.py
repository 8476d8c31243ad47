"""/v1/auth: what the platform thinks of the caller."""

import structlog
from django.db import DatabaseError
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.identity.principal import Principal
from apps.identity.rbac import permissions_of
from apps.identity.schemas import Me
from apps.identity.selectors import username_of
from kernel.web.schema import json_response

log = structlog.get_logger("identity")


class MeView(APIView):
    """GET /v1/auth/me."""

    @extend_schema(operation_id="auth_me", summary="Who am I", responses={200: Me}, tags=["auth"])
    def get(self, request: Request) -> HttpResponse:
        principal: Principal = request.user  # type: ignore[assignment]
        body = Me(
            sub=principal.sub,
            username=_username(principal.sub),
            tenant_id=principal.tenant_id,
            roles=sorted(principal.roles),
            scopes=sorted(principal.scopes),
            permissions=sorted(permissions_of(principal.roles, principal.scopes)),
        )
        return json_response(
            body.model_dump(mode="json"), headers={"Cache-Control": "no-store", "Vary": "Authorization"}
        )


def _username(sub: str) -> str | None:
    """A nicety: without the accounts' database the answer is still right, only nameless."""
    try:
        return username_of(sub)
    except DatabaseError as error:
        log.warning("username_unknown", error=type(error).__name__)
        return None
