"""/v1/tools: the tools that a caller may call."""

from bisect import bisect_right

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic_core import to_json
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.identity.principal import Principal
from apps.tools import registry, schemas, selectors
from apps.tools.pages import VARY
from apps.tools.registry import Effective
from apps.tools.shown import tool_out
from apps.tools.spec import EFFECTS
from kernel import pagination
from kernel.errors import BadRequestError
from kernel.web.api import ApiView
from kernel.web.etag import not_modified, strong_etag
from kernel.web.parameters import flag, refuse_unknown

READ = {"Cache-Control": "private, max-age=30", "Vary": VARY}
FILTERS = frozenset({"category", "effect", "q", "long_running", "limit", "page_token"})


class ToolList(ApiView):
    """What the caller may call."""

    @extend_schema(
        operation_id="list_tools",
        summary="List the tools that you may call",
        description="In order of name. What you may not call, or is switched off, is not there.",
        parameters=[
            OpenApiParameter("category", str, description="What stands before the dot of a name."),
            OpenApiParameter("effect", str, description=f"One or more of {', '.join(EFFECTS)}, comma-separated."),
            OpenApiParameter("q", str, description="Text in name, alias, title or description."),
            OpenApiParameter("long_running", bool),
            OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before."),
        ],
        responses={200: schemas.ToolPage, 304: None},
        tags=["tools"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, FILTERS)
        principal, asked = principal_of(request), request.query_params
        limit = pagination.parse_limit(asked.get("limit"))
        tools = _chosen(request, principal)
        filters = [asked.get(name, "") for name in ("category", "effect", "q", "long_running")]
        scope = f"tools:{principal.tenant_id}:{principal.sub}:{filters}"
        offset = bisect_right([tool.spec.name for tool in tools], _last_name(asked.get("page_token"), scope))
        page = tools[offset : offset + limit]
        token = None
        if offset + limit < len(tools):
            token = pagination.signed(page[-1].spec.name, scope=scope)
        items = [tool_out(tool, with_module=principal.is_admin) for tool in page]
        body = pagination.page(items, total=len(tools), limit=limit, offset=offset, token=token)
        return _response(request, to_json(body))


class ToolDetail(ApiView):
    """One tool."""

    @extend_schema(
        operation_id="get_tool",
        summary="Read a tool",
        description="By its name or an alias. 404 as well for one that you may not call.",
        responses={200: schemas.ToolDetail, 304: None},
        tags=["tools"],
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request)
        principal = principal_of(request)
        tool = selectors.get_tool(principal, name)
        shown = tool_out(tool, with_module=principal.is_admin) | {"example": dict(tool.spec.example)}
        return _response(request, to_json(shown))


def _chosen(request: Request, principal: Principal) -> list[Effective]:
    asked = request.query_params
    category, text, is_long = asked.get("category"), asked.get("q", "").casefold(), flag(request, "long_running")
    effects = [value for value in asked.get("effect", "").split(",") if value]
    if unknown := [value for value in effects if value not in EFFECTS]:
        raise BadRequestError(
            f"effect: unknown value {unknown[0][:50]!r}. Use {', '.join(EFFECTS)}.", code="invalid_filter"
        )
    return [
        tool
        for tool in registry.callable_by(principal)
        if (not category or tool.spec.category == category)
        and (not effects or tool.spec.effect in effects)
        and (is_long is None or tool.spec.long_running is is_long)
        and (not text or text in _text_of(tool))
    ]


def _text_of(tool: Effective) -> str:
    spec = tool.spec
    return "\n".join((spec.name, *spec.aliases, spec.title, spec.description)).casefold()


def _last_name(token: str | None, scope: str) -> str:
    """The name that the page before ended with; empty without a token."""
    return str(pagination.unsigned(token, scope=scope)) if token else ""


def _response(request: Request, body: bytes) -> HttpResponse:
    headers = {**READ, "ETag": strong_etag(body)}
    if not_modified(request, headers["ETag"]):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)
