"""/v1/tools/approvals: calls that wait for a person, and that person's word."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.tools import approvals, schemas, selectors
from apps.tools.models import APPROVAL_STATUSES
from apps.tools.pages import VARY, chosen, page_response, parse_id
from apps.tools.selectors import EXPIRED
from apps.tools.shown import approval_out, approval_summary
from kernel import pagination
from kernel.web.api import ApiView
from kernel.web.etag import strong_etag
from kernel.web.parameters import NO_STORE, refuse_unknown
from kernel.web.schema import json_if_changed, json_response, parse_body

STATUSES = (*APPROVAL_STATUSES, EXPIRED)
READ = {"Cache-Control": "private, no-cache", "Vary": VARY}


class Approvals(ApiView):
    """What waits, or did."""

    @extend_schema(
        operation_id="list_tool_approvals",
        summary="Calls that wait for a person",
        description="Your own, newest first; for those who may change tools, everybody's of the tenant. Without their "
        "arguments: read each of them before you decide.",
        parameters=[
            OpenApiParameter("status", str, description=f"One or more of {', '.join(STATUSES)}, comma-separated."),
            OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before."),
        ],
        responses=schemas.ApprovalPage,
        tags=["tools"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"status", "limit", "page_token"})
        principal, statuses = principal_of(request), chosen(request, "status", STATUSES)
        limit = pagination.parse_limit(request.query_params.get("limit"))
        scope = f"approvals:{principal.tenant_id}:{principal.sub}:{statuses}"
        after = pagination.decode_cursor(request.query_params.get("page_token"), scope=scope)
        rows, total = selectors.list_approvals(principal, statuses, after=after, limit=limit)
        return page_response(rows, approval_summary, total=total, after=after, limit=limit, scope=scope)


class ApprovalDetail(ApiView):
    """One call that waits: look at it whole, then decide."""

    @extend_schema(
        operation_id="get_tool_approval",
        summary="Read a call that waits for a person",
        description="With all its arguments as they would be used: nothing is hidden or shortened here.",
        responses={200: schemas.ApprovalOut, 304: None},
        tags=["tools"],
    )
    def get(self, request: Request, approval_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = selectors.get_approval(principal_of(request), parse_id(approval_id, "approval"))
        shown = approval_out(row)
        headers = {**READ, "ETag": strong_etag("approval", row.id, shown["status"], shown["description"])}
        return json_if_changed(request, lambda: shown, headers)

    @extend_schema(
        operation_id="decide_tool_approval",
        summary="Approve or deny a call",
        description="Exactly the call that was read, once, within 24 h; then the call is made again by who made it. "
        "Needs what the call itself needs, or the right to change tools. 409 `approval_closed` when it was decided or "
        "has expired.",
        request=schemas.ApprovalDecision,
        responses={200: schemas.ApprovalOut},
        tags=["tools"],
    )
    def post(self, request: Request, approval_id: str) -> HttpResponse:
        refuse_unknown(request)
        parsed = parse_id(approval_id, "approval")
        body = parse_body(schemas.ApprovalDecision, request.data)
        row = approvals.decide(
            principal_of(request),
            parsed,
            approve=body.decision == "approve",
            arguments_sha256=body.arguments_sha256,
        )
        return json_response(approval_out(row), headers=NO_STORE)
