"""Writing agents. An agent's definition is never changed: each change is a new version, and runs keep the one they had.

All writes go through the engine's door, because the platform's agents have no tenant; so each statement names the
tenant whose row it means, and rights are checked before.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.agents.definitions.selectors import DEFAULT, Definition
from apps.agents.models import Agent, AgentVersion
from apps.audit import trail
from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from apps.llm.catalogue import catalogue_of
from kernel import engine_db
from kernel.clock import now
from kernel.errors import ConflictError, ForbiddenError, NotFoundError, PreconditionFailedError, ValidationError

SYSTEM = "system"  # the actor where no person is: manage.py
DEFINED = (
    "description", "system_prompt", "model", "temperature", "tools", "planning_mode", "response_mode", "max_steps",
    "budget",
)  # fmt: skip


def create_agent(*, tenant_id: UUID | None, name: str, fields: dict[str, Any], by: Principal | None) -> Definition:
    """A new agent of the tenant's, or the platform's (None), at version 1. ``fields``: columns of AgentVersion.

    ConflictError when the name is taken, ForbiddenError for the platform's by anybody but its administrators,
    ValidationError for a model that is not there.
    """
    _require_owner(tenant_id, by)
    _require_model(tenant_id, fields.get("model"), by)
    with _writing("An agent of this name exists already. Change it, or choose another name."):
        agent = Agent(tenant_id=tenant_id, name=name)
        agent.save(using=engine_db.ALIAS, force_insert=True)
        agent.refresh_from_db(using=engine_db.ALIAS)
        version = _new_version(agent, fields, by)
        _audit(agent, by, "agent.created", {"version": 1, **_told(version)})
    return Definition(agent, version)


def change_agent(
    agent_id: UUID,
    fields: dict[str, Any],
    *,
    enabled: bool | None = None,
    by: Principal,
    expected_version: int | None = None,
) -> Definition:
    """A new version with ``fields`` laid over the present one; no new one where nothing is different.

    PreconditionFailedError when the agent is not at ``expected_version`` any more.
    """
    with _writing("The agent was changed just now. Try again."):
        agent = _locked(agent_id, by)
        _require_version(agent, expected_version)
        present = AgentVersion.objects.using(engine_db.ALIAS).get(agent_id=agent.id, version=agent.version)
        before = {name: getattr(present, name) for name in DEFINED}
        changes = {name: [before[name], value] for name, value in fields.items() if before[name] != value}
        if "model" in changes:
            _require_model(agent.tenant_id, fields["model"], by)
        if enabled is not None and enabled != agent.enabled:
            changes["enabled"] = [agent.enabled, enabled]
            agent.enabled = enabled
        if not changes:
            return Definition(agent, present)
        if changes.keys() - {"enabled"}:
            agent.version += 1
            present = _new_version(agent, {**before, **fields}, by)
        agent.updated_at = now()
        agent.save(using=engine_db.ALIAS, update_fields=["enabled", "version", "updated_at"])
        told = {name: [_short(old), _short(new)] for name, (old, new) in changes.items()}
        _audit(agent, by, "agent.updated", {"version": agent.version, "changes": told})
    return Definition(agent, present)


def remove_agent(agent_id: UUID, *, by: Principal, expected_version: int | None = None) -> None:
    """Delete the agent and its versions. Runs that it answered keep the definition they had."""
    with _writing("The agent was changed just now. Try again."):
        agent = _locked(agent_id, by)
        _require_version(agent, expected_version)
        if agent.tenant_id is None and agent.name == DEFAULT:
            raise ConflictError(
                "The platform's default agent answers whoever names none: change it, or disable it.",
                code="default_agent",
            )
        AgentVersion.objects.using(engine_db.ALIAS).filter(agent_id=agent.id).delete()
        Agent.objects.using(engine_db.ALIAS).filter(id=agent.id).delete()
        _audit(agent, by, "agent.deleted", {"version": agent.version})


def _locked(agent_id: UUID, by: Principal) -> Agent:
    agent = Agent.objects.using(engine_db.ALIAS).select_for_update().filter(id=agent_id).first()
    if agent is None or agent.tenant_id not in (None, by.tenant_id):
        raise NotFoundError("There is no such agent.", code="agent_not_found")
    _require_owner(agent.tenant_id, by)
    return agent


def _require_owner(tenant_id: UUID | None, by: Principal | None) -> None:
    if by is None or tenant_id == by.tenant_id:
        return
    if tenant_id is not None or not is_platform_admin(by):
        raise ForbiddenError(
            "The platform's agents are for its administrators to change. Make one of your own of the same name: it "
            "goes before the platform's.",
            code="platform_admin_required",
            required_role="platform administrator",
        )


def _require_version(agent: Agent, expected_version: int | None) -> None:
    if expected_version is not None and agent.version != expected_version:
        raise PreconditionFailedError(
            "The agent was changed since you read it. Read it again and repeat your change.",
            current_version=agent.version,
        )


def _require_model(tenant_id: UUID | None, model: str | None, by: Principal | None) -> None:
    """The platform's agents may name the platform's models only: every tenant must be able to ask them."""
    if model is None or by is None:
        return
    found = catalogue_of(by.tenant_id).find(model)
    if found is None or (tenant_id is None and found.tenant_id is not None):
        raise ValidationError(
            "Request validation failed",
            errors=[{"loc": ["body", "model"], "msg": "There is no such model to ask", "type": "model_not_found"}],
        )


def _new_version(agent: Agent, fields: dict[str, Any], by: Principal | None) -> AgentVersion:
    version = AgentVersion(
        tenant_id=agent.tenant_id,
        agent=agent,
        version=agent.version,
        created_by=by.sub if by else "",
        **{name: fields[name] for name in DEFINED if name in fields},
    )
    version.save(using=engine_db.ALIAS, force_insert=True)
    version.refresh_from_db(using=engine_db.ALIAS)
    return version


def _told(version: AgentVersion) -> dict[str, Any]:
    return {name: _short(getattr(version, name)) for name in DEFINED}


def _short(value: Any) -> Any:
    """Prompts are long, and the audit log keeps everything: their beginning says which it was."""
    return f"{value[:200]} ..." if isinstance(value, str) and len(value) > 200 else value


def _audit(agent: Agent, by: Principal | None, action: str, details: dict[str, Any]) -> None:
    trail.record(
        tenant_id=agent.tenant_id,
        actor=by.sub if by else SYSTEM,
        action=action,
        resource_type="agent",
        resource_id=str(agent.id),
        details={"name": agent.name, **details},
        actor_tenant_id=by.own_tenant_id if by else None,
        using=engine_db.ALIAS,
    )


@contextmanager
def _writing(conflict: str) -> Iterator[None]:
    try:
        with transaction.atomic(using=engine_db.ALIAS):
            yield
    except IntegrityError as error:
        raise ConflictError(conflict, code="agent_exists") from error
