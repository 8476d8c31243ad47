"""Wire shapes of /v1/auth, and how the API's description shows bearer tokens."""

from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from pydantic import BaseModel, Field


class Me(BaseModel):
    """The verified caller."""

    sub: str = Field(description="Whom the token speaks for.")
    username: str | None = Field(description="The account's name; null when the account is not kept here.")
    tenant_id: UUID
    roles: list[str] = Field(description="Known roles only, sorted.")
    scopes: list[str] = Field(description="As granted by the token, sorted.")
    permissions: list[str] = Field(description="What the scopes amount to; all of them for an administrator.")


class BearerScheme(OpenApiAuthenticationExtension):
    """Found by drf-spectacular because it exists."""

    target_class = "apps.identity.permissions.PrincipalAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
