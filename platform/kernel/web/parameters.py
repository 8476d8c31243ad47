"""What views read out of a request's address and headers. A parameter that does nothing is refused."""

import re
from collections.abc import Collection
from datetime import UTC, datetime

from rest_framework.request import Request

from kernel.errors import BadRequestError, PreconditionFailedError

NO_STORE = {"Cache-Control": "no-store"}
KEY_PATTERN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")


def refuse_unknown(request: Request, allowed: Collection[str] = ()) -> None:
    """BadRequestError for a parameter that is none of ``allowed``."""
    unknown = sorted(set(request.query_params) - set(allowed))
    if unknown:
        raise BadRequestError(
            f"Unknown parameter {unknown[0][:50]!r}. Use {', '.join(sorted(allowed)) or 'none'}.",
            code="unknown_parameter",
        )


def idempotency_key(header: str | None) -> str | None:
    """The header's value; BadRequestError when it is there and is not 1 to 255 printable ASCII characters."""
    if header is not None and not KEY_PATTERN.fullmatch(header):
        raise BadRequestError(
            "Idempotency-Key must be 1 to 255 printable ASCII characters.", code="invalid_idempotency_key"
        )
    return header


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
