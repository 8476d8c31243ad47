"""Cursor pages. A token says where the next page starts; it is signed, and bound to tenant, caller and route."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core import signing

from kernel.errors import BadRequestError

LIMIT_DEFAULT, LIMIT_MAX = 25, 50
NOT_OURS = "page_token is not one that this list gave you. Start again without it."


@dataclass(frozen=True)
class Cursor:
    """The last row of the page before: its created_at and id, and how many rows came before the next page."""

    created_at: datetime
    id: UUID
    offset: int


def parse_limit(raw: str | None) -> int:
    """1 to 50, 25 when absent; anything else is a BadRequestError."""
    if raw is None or raw == "":
        return LIMIT_DEFAULT
    if not raw.isascii() or not raw.isdigit() or len(raw) > 6 or not 1 <= int(raw) <= LIMIT_MAX:
        raise BadRequestError(f"limit must be a whole number from 1 to {LIMIT_MAX}.", code="invalid_limit")
    return int(raw)


def encode_cursor(cursor: Cursor, *, scope: str) -> str:
    """An opaque token; ``scope`` names tenant, caller, route and filters and must be the same when it comes back."""
    text = json.dumps([cursor.created_at.isoformat(), str(cursor.id), cursor.offset])
    return signed(text, scope=scope)


def decode_cursor(token: str | None, *, scope: str) -> Cursor | None:
    """The cursor, None without a token; BadRequestError when it was edited or belongs elsewhere."""
    if not token:
        return None
    try:
        created_at, row_id, offset = json.loads(unsigned(token, scope=scope))
        return Cursor(datetime.fromisoformat(created_at), UUID(row_id), int(offset))
    except (ValueError, TypeError) as error:
        raise BadRequestError(NOT_OURS, code="invalid_cursor") from error


def signed(value: Any, *, scope: str) -> str:
    """A JSON value as an opaque token, for lists that are not in order of their rows' creation."""
    return signing.Signer(salt=f"page:{scope}").sign_object(value)


def unsigned(token: str, *, scope: str) -> Any:
    """The value of a token; BadRequestError when it was edited or belongs elsewhere."""
    try:
        return signing.Signer(salt=f"page:{scope}").unsign_object(token[:1000])
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise BadRequestError(NOT_OURS, code="invalid_cursor") from error


def page(items: list[dict[str, Any]], *, total: int, limit: int, offset: int, token: str | None) -> dict[str, Any]:
    """The envelope of every list."""
    return {
        "items": items,
        "total": total,
        "limit": limit,
        "offset": offset,
        "has_more": token is not None,
        "next_page_token": token,
    }
