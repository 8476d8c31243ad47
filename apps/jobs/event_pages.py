"""GET .../events?format=json: a log as pages, for clients that do not stream."""

from django.http import HttpResponse
from rest_framework.request import Request

from apps.jobs.logs import LogKind, LogRef
from apps.jobs.schemas import event_page, parse_event_id
from kernel.errors import BadRequestError, NotAcceptableError
from kernel.web.parameters import NO_STORE, refuse_unknown
from kernel.web.schema import json_response

EVENT_PAGE = 1000


def page_asked(request: Request) -> tuple[int, int]:
    """(after, limit) of a page. NotAcceptableError without ?format=json: the stream is not served by Django."""
    asked = request.query_params
    if asked.get("format") != "json":
        raise NotAcceptableError("The event stream is served by the stream server; here add ?format=json.")
    refuse_unknown(request, {"format", "after", "limit", "last_event_id"})
    after = parse_event_id(asked.get("after") or asked.get("last_event_id"))
    limit = EVENT_PAGE if "limit" not in asked else parse_event_id(asked["limit"])
    if not 1 <= limit <= EVENT_PAGE:
        raise BadRequestError(f"limit must be a whole number from 1 to {EVENT_PAGE}.", code="invalid_limit")
    return after, limit


def page_response(kind: LogKind, ref: LogRef, status: str, *, after: int, limit: int) -> HttpResponse:
    """Events after ``after`` of a log that the caller was allowed to read."""
    rows = kind.events_after(ref, after, limit=limit)
    last = rows[-1]["seq_id"] if rows else min(after, ref.last_seq)
    items = event_page(rows)
    body = {
        kind.id_name: ref.id,
        "status": status,
        "items": items,
        "events": items,
        "last_event_id": last,
        "has_more": last < ref.last_seq,
    }
    return json_response(body, headers=NO_STORE)
