"""Wire shapes of /v1/auth, and how the API's description shows bearer tokens."""

from typing import Any
from uuid import UUID

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from pydantic import BaseModel, ConfigDict, Field

from kernel.web.fields import Lookup, RequestBody


class Me(BaseModel):
    """The verified caller."""

    sub: str = Field(description="Whom the token speaks for.")
    username: str | None = Field(description="The account's name; null when the account is not kept here.")
    tenant_id: UUID
    role: str | None = Field(description="The role that brings the most permissions; null without one.")
    roles: list[str] = Field(description="Known roles only, sorted.")
    scopes: list[str] = Field(description="As granted by the token, sorted.")
    permissions: list[str] = Field(description="What roles and scopes together allow, as resource:action, sorted.")
    platform_admin: bool = Field(description="Whether the caller administers the whole platform.")


class PermissionVerdict(BaseModel):
    """One permission, and why the caller has it or not."""

    permission: str
    allowed: bool
    reason: str = Field(description="The role and scope that grant it, or the one that is missing.")
    required_scope: str


class Permissions(BaseModel):
    """What the caller may do with this token."""

    roles: list[str]
    scopes: list[str]
    items: list[PermissionVerdict]


class IntrospectionRequest(RequestBody):
    """RFC 7662, 2.1; as JSON or as a form."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}]}
    )

    token: Lookup = Field(min_length=1, max_length=16_384)
    token_type_hint: Lookup | None = Field(None, max_length=64, description="Ignored: there is one kind of token.")


class Introspection(BaseModel):
    """RFC 7662, 2.2. For a token that is not valid, or not for the caller to know about, ``active`` false alone."""

    model_config = ConfigDict(extra="allow")

    active: bool
    token_type: str | None = None
    iss: str | None = None
    sub: str | None = None
    aud: str | list[str] | None = None
    client_id: str | None = None
    jti: str | None = None
    iat: int | float | None = None
    nbf: int | float | None = None
    exp: int | float | None = None
    scope: str | None = None
    tenant_id: UUID | None = None
    roles: list[str] | None = None


class BearerScheme(OpenApiAuthenticationExtension):
    """Found by drf-spectacular because it exists."""

    target_class = "apps.identity.permissions.PrincipalAuthentication"
    name = "bearerAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
