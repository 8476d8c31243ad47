"""Reading agents: a tenant's own and the platform's. Of one name the tenant's own is the one that is meant."""

import json
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.agents.models import Agent, AgentVersion
from kernel.errors import ConflictError, NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope, tenant_statement

DEFAULT = "default"  # answers where a run names no agent; apps/agents/definitions/first_agent.py lays it
VERSIONS_SHOWN = 100
FOR_RUN: LiteralString = """
SELECT agents.name AS agent_name, agents.enabled AS agent_enabled, agent_versions.*
FROM agents JOIN agent_versions ON agent_versions.agent_id = agents.id AND agent_versions.version = agents.version
WHERE agents.name = %(name)s ORDER BY agents.tenant_id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Definition:
    """An agent and one of its versions."""

    agent: Agent
    version: AgentVersion


def find_agent(tenant_id: UUID, name: str) -> Definition:
    """The agent of this name, or of this id, in its present version, enabled or not. NotFoundError for none."""
    with tenant_scope(tenant_id):
        agent = _agent(name)
        return Definition(agent, AgentVersion.objects.get(agent_id=agent.id, version=agent.version))


def agent_for_run(tenant_id: UUID, name: str | None) -> Definition:
    """Who answers a run that names this agent; None: the default. NotFoundError, or ConflictError when disabled.

    Every run asks: one round trip. Not inside a transaction.
    """
    rows = tenant_statement(tenant_id, FOR_RUN, {"name": name or DEFAULT})
    found = _definition(rows[0]) if rows else find_agent(tenant_id, name or DEFAULT)
    if not found.agent.enabled:
        raise ConflictError(f"The agent {found.agent.name} is disabled. Choose another.", code="agent_disabled")
    return found


def _definition(row: dict[str, Any]) -> Definition:
    """Django's connections hand jsonb over as text."""
    agent = {name: row.pop(f"agent_{name}") for name in ("name", "enabled")}
    columns = {name: json.loads(row[name]) if row[name] is not None else None for name in ("tools", "budget")}
    version = AgentVersion(**{**row, **columns})
    return Definition(
        Agent(id=version.agent_id, version=version.version, tenant_id=version.tenant_id, **agent), version
    )


def list_agents(
    tenant_id: UUID, *, enabled: bool | None, after: Cursor | None, limit: int
) -> tuple[list[Definition], int]:
    """One page of the agents that a run can name, newest first, one more than ``limit`` when there is a next; and how
    many there are. The platform's that an own one of the same name hides are left out."""
    with tenant_scope(tenant_id):
        hidden = Agent.objects.filter(tenant_id=tenant_id, name=OuterRef("name"))
        agents = Agent.objects.filter(Q(tenant_id=tenant_id) | ~Exists(hidden))
        if enabled is not None:
            agents = agents.filter(enabled=enabled)
        total = agents.order_by().count()
        if after is not None:
            agents = agents.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
        rows = list(agents.order_by("-created_at", "-id")[: limit + 1])
        return _with_versions(rows), total


def list_versions(tenant_id: UUID, name: str) -> tuple[Agent, list[AgentVersion]]:
    """What the agent was, newest first, the last VERSIONS_SHOWN. NotFoundError as find_agent."""
    with tenant_scope(tenant_id):
        agent = _agent(name)
        return agent, list(AgentVersion.objects.filter(agent_id=agent.id).order_by("-version")[:VERSIONS_SHOWN])


def _agent(name: str) -> Agent:
    named: QuerySet[Agent] = Agent.objects.filter(name=name)
    found = named.order_by("tenant_id").first()  # PostgreSQL puts the platform's, which has no tenant, last
    if found is None and (agent_id := _as_uuid(name)):
        found = Agent.objects.filter(id=agent_id).first()
    if found is None:
        raise NotFoundError(f"There is no agent {name[:100]!r}. GET /v1/agents lists them.", code="agent_not_found")
    return found


def _with_versions(agents: list[Agent]) -> list[Definition]:
    present = Q()
    for agent in agents:
        present |= Q(agent_id=agent.id, version=agent.version)
    versions = {row.agent_id: row for row in AgentVersion.objects.filter(present)} if agents else {}
    return [Definition(agent, versions[agent.id]) for agent in agents]


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
