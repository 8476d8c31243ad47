"""Calls of tools over REST: one, several, and those that were made."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.identity.principal import ADMIN_SCOPE, Principal
from apps.tools import schemas, selectors
from apps.tools.answers import answer
from apps.tools.batch import made_in_order
from apps.tools.calls import Call
from apps.tools.context import DOORS
from apps.tools.models import INVOCATION_STATUSES
from apps.tools.pages import VARY, chosen, page_response, parse_id
from apps.tools.selectors import LOST, InvocationFilter
from apps.tools.shown import invocation_out, invocation_summary
from kernel import pagination
from kernel.errors import ForbiddenError
from kernel.request_context import current
from kernel.web.api import ApiView
from kernel.web.etag import strong_etag
from kernel.web.parameters import NO_STORE, idempotency_key, moment, refuse_unknown
from kernel.web.schema import json_if_changed, json_response, parse_body

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repeat of this tool's call safe."
)
STATUSES = (*INVOCATION_STATUSES, LOST)
FILTERS = frozenset({"status", "door", "since", "job_id", "owner", "limit", "page_token"})
PARAMETERS = [
    OpenApiParameter("status", str, description=f"One or more of {', '.join(STATUSES)}, comma-separated."),
    OpenApiParameter("door", str, description=f"One or more of {', '.join(DOORS)}, comma-separated."),
    OpenApiParameter("since", str, description="ISO 8601; that moment included."),
    OpenApiParameter("job_id", str, description="Of the job that called."),
    OpenApiParameter("owner", str, description="Administrators: whose; * for everybody's of the tenant."),
    OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
    OpenApiParameter("page_token", str, description="next_page_token of the page before."),
]
READ = {"Cache-Control": "private, no-cache", "Vary": VARY}


class ToolInvocations(ApiView):
    """Call a tool; what was called."""

    @extend_schema(
        operation_id="invoke_tool",
        summary="Call a tool",
        description="201 with what it gave, also when the tool itself failed (`ok` false); 200 for a repeat with the "
        "same Idempotency-Key. 202 with a job for a tool that takes long. What was refused before the tool ran is an "
        "error: 403 names the scopes, 409 `approval_required` the record that waits for a person.",
        request=schemas.InvocationCreate,
        responses={
            200: schemas.AnsweredOut,
            201: schemas.OutcomeOut,
            202: schemas.ToolJobOut,
        },
        parameters=[KEY_HEADER],
        tags=["tools"],
    )
    def post(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request)
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        body = parse_body(schemas.InvocationCreate, request.data)
        call = Call(
            principal_of(request),
            name,
            body.args,
            "rest",
            idempotency_key=key,
            timeout_s=body.timeout_seconds,
            read_only=body.safe_mode,
        )
        answered = answer(call, body.mode, request_id=current().request_id)
        headers = {
            "Location": request.build_absolute_uri(answered.location),
            "Idempotency-Replayed": "true" if answered.replayed else "false",
            **NO_STORE,
        }
        return json_response(answered.body, status=answered.status, headers=headers)

    @extend_schema(
        operation_id="list_tool_invocations",
        summary="Your calls of a tool",
        parameters=PARAMETERS,
        responses=schemas.InvocationPage,
        tags=["tools"],
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request, FILTERS)
        return _list(request, selectors.canonical_name(name))


class Invocations(ApiView):
    """Several calls at once; all calls."""

    @extend_schema(
        operation_id="invoke_tools",
        summary="Call several tools",
        description="One after the other, each as if it were alone: what one is refused or fails with stands in its "
        "own item. A call that takes long becomes a job.",
        request=schemas.BatchCreate,
        responses={200: schemas.BatchOut},
        tags=["tools"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        body = parse_body(schemas.BatchCreate, request.data)
        items = made_in_order(principal_of(request), body)
        succeeded = sum(item["ok"] for item in items)
        found = {"items": items, "total": len(items), "succeeded": succeeded, "failed": len(items) - succeeded}
        return json_response(found, headers=NO_STORE)

    @extend_schema(
        operation_id="list_invocations",
        summary="Your calls of all tools",
        parameters=[OpenApiParameter("tool", str, description="Name of a tool."), *PARAMETERS],
        responses=schemas.InvocationPage,
        tags=["tools"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, FILTERS | {"tool"})
        tool = request.query_params.get("tool")
        return _list(request, selectors.canonical_name(tool) if tool else None)


class InvocationDetail(ApiView):
    """One call."""

    @extend_schema(
        operation_id="get_tool_invocation",
        summary="Read a call of a tool",
        description="Its owner, and administrators of its tenant. Arguments and result are left out for an owner that "
        "could not make the call now: `withheld` says why.",
        responses={200: schemas.InvocationOut, 304: None},
        tags=["tools"],
    )
    def get(self, request: Request, name: str, invocation_id: str) -> HttpResponse:
        refuse_unknown(request)
        principal = principal_of(request)
        row = selectors.get_invocation(principal, name, parse_id(invocation_id, "invocation"))
        shown = invocation_out(row, selectors.withheld(principal, row.tool, row.arguments))
        seen = strong_etag("invocation", row.id, shown["status"], shown["finished_at"], shown["withheld"])
        return json_if_changed(request, lambda: shown, {**READ, "ETag": seen})


def _list(request: Request, tool: str | None) -> HttpResponse:
    principal, asked = principal_of(request), request.query_params
    job_id = asked.get("job_id")
    wanted = InvocationFilter(
        owner_sub=_owner(principal, asked.get("owner")),
        tool=tool,
        statuses=chosen(request, "status", STATUSES),
        doors=chosen(request, "door", DOORS),
        job_id=parse_id(job_id, "job") if job_id else None,
        since=moment(asked.get("since"), "since"),
    )
    limit = pagination.parse_limit(asked.get("limit"))
    scope = f"invocations:{principal.tenant_id}:{principal.sub}:{wanted}"
    after = pagination.decode_cursor(asked.get("page_token"), scope=scope)
    rows, total = selectors.list_invocations(principal, wanted, after=after, limit=limit)
    return page_response(rows, invocation_summary, total=total, after=after, limit=limit, scope=scope)


def _owner(principal: Principal, asked: str | None) -> str | None:
    """Whose calls are listed; None for everybody's of the tenant."""
    if not asked or asked == principal.sub:
        return principal.sub
    if not principal.is_admin:
        raise ForbiddenError("owner: only administrators see calls of others.", required_scopes=[ADMIN_SCOPE])
    return None if asked == "*" else asked
