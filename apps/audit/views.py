"""GET /v1/admin/audit: the log as pages, as NDJSON, and its proof. The route table (audit:read) says who may."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.audit import schemas, selectors, services
from apps.audit.models import PLATFORM_CHAIN
from apps.audit.selectors import Chain, Filters
from apps.audit.verification import verify_chain
from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from kernel import pagination
from kernel.errors import BadRequestError, ForbiddenError, NotFoundError
from kernel.web.api import ApiView
from kernel.web.db_calls import in_thread
from kernel.web.schema import json_response

NO_STORE = {"Cache-Control": "no-store"}
VERIFY_LIMIT_S = 3.0
TENANT = OpenApiParameter("tenant", str, description="Administrators of the platform: a tenant, or `platform`.")
FILTER_PARAMETERS = [
    OpenApiParameter("action", str, description="An action, or the beginning of some: `tenant.*`."),
    *(OpenApiParameter(name, str) for name in ("actor", "resource_type", "resource_id", "correlation_id")),
    OpenApiParameter("outcome", str, enum=schemas.OUTCOMES),
    OpenApiParameter("since", OpenApiTypes.DATETIME, description="This moment or later."),
    OpenApiParameter("until", OpenApiTypes.DATETIME, description="Before this moment."),
    TENANT,
]


def chain_of(request: Request, principal: Principal) -> Chain:
    """The chain that is asked for. ForbiddenError for another tenant's, except to the platform's administrators."""
    wanted = request.query_params.get("tenant")
    if not wanted:
        return Chain(principal.tenant_id)
    if not is_platform_admin(principal):
        raise ForbiddenError(
            "Only an administrator of the platform may read another chain. Leave `tenant` out to read your own.",
            code="platform_admin_required",
        )
    chain_id = _chain_id(wanted)
    return Chain(chain_id, is_own=chain_id == principal.tenant_id)


def _chain_id(wanted: str) -> UUID:
    if wanted == schemas.PLATFORM:
        return PLATFORM_CHAIN
    try:
        return UUID(wanted)  # a deleted tenant has no name any more, and still its chain
    except ValueError:
        found = selectors.tenant_id_by_slug(wanted)
    if found is None:
        raise NotFoundError("There is no such tenant.", code="tenant_not_found")
    return found


def refuse_unknown_parameters(request: Request, allowed: frozenset[str]) -> None:
    """A filter that does nothing would mislead; of two values of one filter one would do nothing."""
    for name, values in request.query_params.lists():
        if name not in allowed:
            raise BadRequestError(
                f"Unknown parameter {name[:50]!r}. This list knows {', '.join(sorted(allowed))}.",
                code="unknown_parameter",
            )
        if len(values) > 1:
            raise BadRequestError(f"{name} is given twice.", code="invalid_filter")


class AuditList(ApiView):
    """The caller's tenant's log."""

    @extend_schema(
        operation_id="list_audit",
        summary="Who did what, newest first",
        parameters=[*FILTER_PARAMETERS, OpenApiParameter("limit", int), OpenApiParameter("page_token", str)],
        responses=schemas.AuditPage,
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown_parameters(request, schemas.FILTERS | {"limit", "page_token"})
        principal: Principal = request.user  # type: ignore[assignment]
        filters = schemas.parse_filters(request._request.GET)
        limit = pagination.parse_limit(request.query_params.get("limit"))
        chain = chain_of(request, principal)
        scope = f"audit:{chain.tenant_id}:{principal.tenant_id}:{principal.sub}:{sorted(filters.as_json().items())}"
        after = pagination.decode_cursor(request.query_params.get("page_token"), scope=scope)
        rows, total = selectors.list_rows(chain, filters, after=after, limit=limit)
        services.note_foreign_look(principal, chain, "audit.read")
        offset = after.offset if after else 0
        token = None
        if len(rows) > limit:
            rows = rows[:limit]
            cursor = pagination.Cursor(rows[-1].created_at, rows[-1].id, offset + limit)
            token = pagination.encode_cursor(cursor, scope=scope)
        items = [schemas.row_out(row) for row in rows]
        body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
        return json_response(body, headers=NO_STORE)


class AuditExport(ApiView):
    """The same as NDJSON, oldest first, with what it takes to check the hashes elsewhere."""

    @extend_schema(
        operation_id="export_audit",
        summary="The log as NDJSON, oldest first",
        parameters=FILTER_PARAMETERS,
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        refuse_unknown_parameters(request, schemas.FILTERS)
        principal: Principal = request.user  # type: ignore[assignment]
        filters = schemas.parse_filters(request._request.GET)
        chain = chain_of(request, principal)
        up_to = services.begin_export(principal, chain, filters)
        is_async = isinstance(request._request, ASGIRequest)
        lines: Any = _lines_async(chain, filters, up_to) if is_async else _lines(chain, filters, up_to)
        return StreamingHttpResponse(
            lines,
            content_type="application/x-ndjson",
            headers={**NO_STORE, "Content-Disposition": 'attachment; filename="audit.ndjson"'},
        )


class AuditVerify(ApiView):
    """Every row hashed again, and the end held against the chain's head."""

    @extend_schema(
        operation_id="verify_audit",
        summary="Prove that the log is unchanged",
        parameters=[OpenApiParameter("from_seq", int), OpenApiParameter("to_seq", int), TENANT],
        responses=schemas.AuditVerification,
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown_parameters(request, frozenset({"from_seq", "to_seq", "tenant"}))
        principal: Principal = request.user  # type: ignore[assignment]
        chain = chain_of(request, principal)
        from_seq = schemas.parse_seq("from_seq", request.query_params.get("from_seq"), 1) or 1
        to_seq = schemas.parse_seq("to_seq", request.query_params.get("to_seq"), None)
        report = verify_chain(chain.tenant_id, from_seq=from_seq, to_seq=to_seq, limit_s=VERIFY_LIMIT_S)
        services.note_foreign_look(principal, chain, "audit.verified")
        return json_response(schemas.report_out(report), headers=NO_STORE)


def _batch(chain: Chain, filters: Filters, after_seq: int, up_to: int) -> tuple[bytes, int | None]:
    """Some lines, and after which number to go on; None at the end."""
    rows = selectors.export_batch(chain, filters, after_seq=after_seq, up_to_seq=up_to)
    lines = b"".join(schemas.line_out(row, row.details_text) for row in rows)  # type: ignore[attr-defined]
    return lines, rows[-1].seq if len(rows) == selectors.EXPORT_BATCH else None


def _lines(chain: Chain, filters: Filters, up_to: int) -> Iterator[bytes]:
    """Under WSGI. One batch in memory, one short transaction a batch."""
    after: int | None = 0
    while after is not None:
        lines, after = _batch(chain, filters, after, up_to)
        yield lines


async def _lines_async(chain: Chain, filters: Filters, up_to: int) -> AsyncIterator[bytes]:
    """Under ASGI, which would gather a synchronous iterator whole."""
    after: int | None = 0
    while after is not None:
        lines, after = await in_thread(_batch, chain, filters, after, up_to)
        yield lines
