"""/v1/agents: named definitions of how runs are answered, in versions."""

from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.agents.definitions import schemas
from apps.agents.definitions import selectors as agent_selectors
from apps.agents.definitions import services as agent_services
from apps.identity.permissions import principal_of
from kernel import pagination
from kernel.web.api import ApiView
from kernel.web.parameters import NO_STORE, flag, refuse_unknown, version_meant
from kernel.web.schema import json_if_changed, json_response, parse_body

READ = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag of the version meant.")


class AgentList(ApiView):
    """Make and list agents."""

    @extend_schema(
        operation_id="list_agents",
        summary="List agents",
        description="The tenant's own and the platform's, newest first. An own one hides the platform's of its name.",
        parameters=[
            OpenApiParameter("enabled", bool),
            OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before."),
        ],
        responses=schemas.AgentPage,
        tags=["agents"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"enabled", "limit", "page_token"})
        principal, enabled = principal_of(request), flag(request, "enabled")
        limit = pagination.parse_limit(request.query_params.get("limit"))
        scope = f"agents:{principal.tenant_id}:{principal.sub}:{enabled}"
        after = pagination.decode_cursor(request.query_params.get("page_token"), scope=scope)
        found, total = agent_selectors.list_agents(principal.tenant_id, enabled=enabled, after=after, limit=limit)
        offset, token = after.offset if after else 0, None
        if len(found) > limit:
            found = found[:limit]
            last = found[-1].agent
            token = pagination.encode_cursor(pagination.Cursor(last.created_at, last.id, offset + limit), scope=scope)
        items = [schemas.agent_out(definition) for definition in found]
        body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
        return json_response(body, headers=READ)

    @extend_schema(
        operation_id="create_agent",
        summary="Make an agent",
        description="The tenant's own, unless `scope` is `global`.",
        request=schemas.AgentCreate,
        responses={201: schemas.AgentOut},
        tags=["agents"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        principal, body = principal_of(request), parse_body(schemas.AgentCreate, request.data)
        made = agent_services.create_agent(
            tenant_id=None if body.scope == "global" else principal.tenant_id,
            name=body.name,
            fields=body.as_fields(),
            by=principal,
        )
        headers = {
            "Location": request.build_absolute_uri(f"/v1/agents/{made.agent.name}"),
            "ETag": schemas.agent_etag(made.agent),
        }
        return json_response(schemas.agent_out(made), status=201, headers={**NO_STORE, **headers})


class AgentDetail(ApiView):
    """Read, change and delete an agent."""

    @extend_schema(
        operation_id="get_agent",
        summary="Read an agent",
        description="By name, or by id.",
        responses={200: schemas.AgentOut, 304: None},
        tags=["agents"],
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request)
        found = agent_selectors.find_agent(principal_of(request).tenant_id, name)
        headers = {**READ, "ETag": schemas.agent_etag(found.agent)}
        return json_if_changed(request, lambda: schemas.agent_out(found), headers)

    @extend_schema(
        operation_id="change_agent",
        summary="Change an agent",
        description="Makes a new version, which new runs take; runs keep the one they were made with.",
        request=schemas.AgentChange,
        responses=schemas.AgentOut,
        parameters=[IF_MATCH],
        tags=["agents"],
    )
    def patch(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request)
        body = parse_body(schemas.AgentChange, request.data)
        agent_id, version = self._meant(request, name)
        changed = agent_services.change_agent(
            agent_id, body.as_fields(), enabled=body.enabled, by=principal_of(request), expected_version=version
        )
        headers = {**NO_STORE, "ETag": schemas.agent_etag(changed.agent)}
        return json_response(schemas.agent_out(changed), headers=headers)

    @extend_schema(
        operation_id="delete_agent",
        summary="Delete an agent",
        description="With its versions. Runs that it answered keep the definition they had.",
        responses={204: None},
        parameters=[IF_MATCH],
        tags=["agents"],
    )
    def delete(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request)
        agent_id, version = self._meant(request, name)
        agent_services.remove_agent(agent_id, by=principal_of(request), expected_version=version)
        return HttpResponse(status=204, headers=NO_STORE)

    def _meant(self, request: Request, name: str) -> tuple[UUID, int | None]:
        agent = agent_selectors.find_agent(principal_of(request).tenant_id, name).agent
        return agent.id, version_meant(request, schemas.agent_etag(agent), agent.version, "agent")


class AgentVersions(ApiView):
    """What an agent was."""

    @extend_schema(
        operation_id="list_agent_versions",
        summary="An agent's versions",
        responses=schemas.AgentVersionList,
        tags=["agents"],
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        refuse_unknown(request)
        agent, versions = agent_selectors.list_versions(principal_of(request).tenant_id, name)
        return json_response(schemas.versions_out(agent, versions), headers=READ)
