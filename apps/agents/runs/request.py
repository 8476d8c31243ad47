"""What a request for a run amounts to: its own words, else its session's, else its agent's (SPEC 7.1).

Nothing here raises anybody's rights: roles, tools and budgets are only ever narrowed.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.agents.definitions.selectors import agent_for_run
from apps.agents.models import Session
from apps.agents.runs.limits import limited_principal, limited_tools
from apps.agents.sessions.selectors import get_session, require_owner
from apps.agents.states import ACTIVE
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.errors import ConflictError

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunPlan:
    """Columns of a run that follow from the request. ``session`` None: one is begun for it."""

    session: Session | None
    acting: Principal
    agent_name: str
    agent_version: int
    agent_json: Fields
    prompt: str
    request_json: Fields
    max_steps: int
    budget: Fields
    metadata: Fields


def plan_of(principal: Principal, fields: Fields) -> RunPlan:
    """Resolve ``fields`` (run_schemas.RunCreate.as_fields; what is missing counts as None).

    NotFoundError for an unknown session or agent, ForbiddenError for a session or role that is not the caller's,
    ConflictError for a session that has ended or an agent that is disabled.
    """
    session = _session(principal, fields.get("session_id"))
    wanted = fields.get("agent") or (session.manager if session else None)
    found = agent_for_run(principal.tenant_id, wanted)
    agent = found.version
    prefers = {**(session.llm_preferences if session else {}), **(fields.get("llm_preferences") or {})}
    tools = limited_tools(fields.get("tools"), (session.tools or None) if session else None, agent.tools)
    role = fields.get("agent_role") or (session.agent_role if session else None)
    asked = {
        "model": _first(fields.get("model"), prefers.get("model")),
        "temperature": _first(
            fields.get("temperature"), prefers.get("temperature"), session.temperature if session else None
        ),
        "planning_mode": fields.get("planning_mode"),
        "response_mode": fields.get("response_mode"),
        "params": fields.get("params") or {},
        "tools": fields.get("tools"),
        "agent_role": role,
        "preferred_workers": fields.get("preferred_workers") or [],
        "llm_preferences": prefers,
    }
    return RunPlan(
        session=session,
        acting=limited_principal(principal, role),
        agent_name=found.agent.name,
        agent_version=agent.version,
        agent_json={
            "system_prompt": agent.system_prompt,
            "model": agent.model,
            "temperature": agent.temperature,
            "tools": None if tools is None else list(tools),
            "planning_mode": agent.planning_mode,
            "response_mode": agent.response_mode,
        },
        prompt=fields["prompt"],
        request_json={name: value for name, value in asked.items() if value not in (None, {}, [])},
        max_steps=_first(fields.get("max_steps"), session.max_steps if session else None, agent.max_steps),
        budget=lowered(agent.budget or {}, fields.get("budget") or {}),
        metadata=fields.get("metadata") or {},
    )


def lowered(budget: Fields, asked: Fields) -> Fields:
    """The agent's budget, lowered where the request asks for less; never raised."""
    limits = {name: value for name, value in budget.items() if value is not None}
    for name, value in asked.items():
        if value is not None:
            limits[name] = min(value, limits.get(name, value))
    return limits


def _session(principal: Principal, session_id: UUID | None) -> Session | None:
    if session_id is None:
        return None
    session = get_session(principal, session_id)
    require_owner(principal, session)
    require_open(session)
    return session


def require_open(session: Session) -> None:
    """ConflictError (session_not_active) for one that has ended."""
    if session.status != ACTIVE or session.expires_at <= now():
        raise ConflictError("The session has ended. Start a new one.", code="session_not_active")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
