"""`session:{id}` in Redis: the session as the API shows it, signed, so that reading one costs no row."""

from typing import Any
from uuid import UUID

from apps.agents.models import Session
from apps.agents.states import DEFAULT_MAX_STEPS, DEFAULT_TEMPERATURE
from kernel import signed_cache
from kernel.clock import iso
from kernel.redis_keys import SESSION
from kernel.tenant_context import tenant_scope


def as_document(session: Session) -> dict[str, Any]:
    """Everything about a session that leaves the database."""
    return {
        "id": str(session.id),
        "tenant_id": str(session.tenant_id),
        "owner_sub": session.owner_sub,
        "status": session.status,
        "ended_reason": session.ended_reason,
        "title": session.title,
        "manager": session.manager,
        "preferred_workers": session.preferred_workers,
        "llm_preferences": session.llm_preferences,
        "agent_role": session.agent_role,
        "tools": session.tools,
        "temperature": DEFAULT_TEMPERATURE if session.temperature is None else session.temperature,
        "max_steps": DEFAULT_MAX_STEPS if session.max_steps is None else session.max_steps,
        "when_busy": session.when_busy,
        "metadata": session.metadata,
        "created_at": iso(session.created_at),
        "updated_at": iso(session.updated_at),
        "expires_at": iso(session.expires_at),
        "last_step_id": str(session.last_step_id) if session.last_step_id else None,
        "last_step_seq": session.last_step_seq,
        "version": session.version,
    }


def put(session: Session) -> None:
    """Show the committed session; a newer version stays."""
    key = SESSION(id=session.id)
    signed_cache.put(key, version=session.version, document=as_document(session), ttl_s=SESSION.ttl_s or 0)


def show(tenant_id: UUID, session_id: UUID) -> None:
    """Read the row and show it: for whoever changed it without having it at hand."""
    with tenant_scope(tenant_id):
        session = Session.objects.filter(id=session_id).first()
    if session is not None:
        put(session)


def get(session_id: UUID) -> dict[str, Any] | None:
    """The session's document, None when Redis does not have it."""
    found = signed_cache.get(SESSION(id=session_id))
    return found if isinstance(found, dict) else None
