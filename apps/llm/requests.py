"""What the views of models read out of requests: the caller, parameters, the version meant, whose a new row is."""

from datetime import UTC, datetime
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from apps.identity.principal import Principal
from apps.identity.standing import slug_of
from apps.llm.registry import rights
from kernel.errors import BadRequestError, ForbiddenError, PreconditionFailedError, ValidationError

NO_STORE = {"Cache-Control": "no-store"}
READ = {"Cache-Control": "no-cache, must-revalidate", "Vary": "Authorization, X-Tenant-Id"}
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag of the version meant.")
MEANS_OWN = ("", "default", "tenant")


def principal_of(request: Request) -> Principal:
    """The caller, as the layers left it."""
    return request.user  # type: ignore[return-value]


def refuse_unknown(request: Request, allowed: frozenset[str] = frozenset()) -> None:
    """A parameter that does nothing would mislead."""
    unknown = sorted(set(request.query_params) - allowed)
    if unknown:
        raise BadRequestError(
            f"Unknown parameter {unknown[0][:50]!r}. Use {', '.join(sorted(allowed)) or 'none'}.",
            code="unknown_parameter",
        )


def flag(request: Request, name: str) -> bool | None:
    """A parameter that is true or false; None when it is absent."""
    raw = request.query_params.get(name)
    if raw is None or raw == "":
        return None
    if raw.lower() not in ("true", "false"):
        raise BadRequestError(f"{name} must be true or false.", code="invalid_filter")
    return raw.lower() == "true"


def whole_number(raw: str | None, name: str, *, default: int, most: int) -> int:
    """A parameter from 1 to ``most``."""
    if raw is None or raw == "":
        return default
    if not raw.isascii() or not raw.isdigit() or len(raw) > 6 or not 1 <= int(raw) <= most:
        raise BadRequestError(f"{name} must be a whole number from 1 to {most}.", code="invalid_limit")
    return int(raw)


def moment(raw: str | None, name: str) -> datetime | None:
    """A time of ISO 8601, in UTC where it names no zone; None when it is absent."""
    if raw is None or raw == "":
        return None
    try:
        at = datetime.fromisoformat(raw.replace(" ", "+") if "T" in raw else raw)  # a + that was not escaped
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequestError(f"{name} must be a time like 2026-01-31T12:00:00Z.", code="invalid_filter") from error


def version_meant(request: Request, etag: str, version: int, what: str) -> int | None:
    """The version that If-Match names: the present one, or an error; None for * and for an absent header."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    candidates = [part.strip().removeprefix("W/").strip('"') for part in header.split(",")]
    if "*" in candidates:
        return None
    if etag.strip('"') not in candidates:
        raise PreconditionFailedError(
            f"The {what} was changed since you read it. Read it again and repeat your change.", current_version=version
        )
    return version


def owner_of(principal: Principal, *, scope: str | None, tenant_id: str | None) -> UUID | None:
    """Whose the new row is: the tenant acted for; None, the platform, where a body says `global` and its caller may.

    Nothing said means the tenant, for administrators of the platform too: what all tenants see is never an accident.
    """
    named = None if tenant_id is None else owner_named(principal, tenant_id)
    if named is not None and scope is not None and named != scope:
        raise ValidationError("scope and tenant_id name two owners: leave one away.", code="two_owners")
    return rights.owner_for(principal, "global" if "global" in (named, scope) else "tenant")


def owner_named(principal: Principal, tenant_id: str) -> rights.Scope:
    """What a tenant_id in a body means. ForbiddenError for a tenant that is not the one acted for."""
    wanted = tenant_id.strip().lower()
    if wanted == "global":
        return "global"
    if wanted in MEANS_OWN or wanted in (str(principal.tenant_id), slug_of(principal.tenant_id)):
        return "tenant"
    raise ForbiddenError(
        "tenant_id names a tenant that is not yours. Administrators of the platform name one by X-Tenant-Id.",
        code="cross_tenant_refused",
    )
