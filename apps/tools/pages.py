"""What the lists of /v1/tools have in common: filters, ids and pages."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from rest_framework.request import Request

from kernel import pagination
from kernel.errors import BadRequestError
from kernel.web.parameters import NO_STORE
from kernel.web.schema import json_response

VARY = "Authorization, X-Tenant-Id"  # what an answer of /v1/tools depends on beside its address


def parse_id(raw: str, what: str) -> UUID:
    """An id from path or query; BadRequestError when it is no UUID."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise BadRequestError(
            f"{'A' if what == 'job' else 'An'} {what} id is a UUID.", code=f"invalid_{what}_id"
        ) from error


def chosen(request: Request, name: str, known: Sequence[str]) -> tuple[str, ...]:
    """A comma-separated filter whose values must all be known."""
    values = tuple(value for value in request.query_params.get(name, "").split(",") if value)
    unknown = [value for value in values if value not in known]
    if unknown:
        raise BadRequestError(
            f"{name}: unknown value {unknown[0][:50]!r}. Use {', '.join(known)}.", code="invalid_filter"
        )
    return values


def page_response(
    rows: list[Any],
    shown: Callable[[Any], dict[str, Any]],
    *,
    total: int,
    after: pagination.Cursor | None,
    limit: int,
    scope: str,
) -> HttpResponse:
    """One page, newest first, of rows with id and created_at; one row more than ``limit`` when there is a next."""
    offset, token = after.offset if after else 0, None
    if len(rows) > limit:
        rows = rows[:limit]
        last = pagination.Cursor(rows[-1].created_at, rows[-1].id, offset + limit)
        token = pagination.encode_cursor(last, scope=scope)
    body = pagination.page([shown(row) for row in rows], total=total, limit=limit, offset=offset, token=token)
    return json_response(body, headers={**NO_STORE, "Vary": VARY})
