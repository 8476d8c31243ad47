"""How DRF learns what the edge found out. The token was verified before: apps/edge/auth.py."""

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.identity.principal import Principal

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which itself imports this module, by name from the settings


def principal_of(request: Request) -> Principal:
    """The caller, as the layers left it."""
    return request.user  # type: ignore[return-value]


class PrincipalAuthentication(BaseAuthentication):
    """`request.user` is the Principal, which is no Django user and has no database row."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        principal = getattr(request._request, "principal", None)
        return None if principal is None else (principal, None)

    def authenticate_header(self, request: Request) -> str:
        """Its presence makes DRF answer 401, not 403."""
        return 'Bearer realm="cineca"'


class IsAuthenticated(BasePermission):
    """Any verified caller. The second wall: the edge refuses the rest before a view is reached."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return isinstance(request.user, Principal)
