"""Reading sessions and their steps, inside the caller's tenant: another's session looks like one that never was."""

from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.agents.models import Session, SessionStep
from apps.agents.sessions import cache as session_cache
from apps.agents.states import ACTIVE, COMPLETED
from apps.identity.principal import Principal
from kernel.clock import iso, now
from kernel.errors import ForbiddenError, NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope


def _missing() -> NotFoundError:
    return NotFoundError("There is no such session.", code="session_not_found")


def get_session(principal: Principal, session_id: UUID) -> Session:
    """The caller's session from PostgreSQL, or any of its tenant's for an administrator. NotFoundError otherwise."""
    with tenant_scope(principal.tenant_id):
        session = Session.objects.filter(id=session_id).first()
    if session is None or not (principal.is_admin or session.owner_sub == principal.sub):
        raise _missing()
    return session


def session_document(principal: Principal, session_id: UUID) -> dict[str, Any]:
    """The session as session_cache.as_document shows it, from Redis when it is there. NotFoundError as above.

    One that has been idle too long shows as completed although the hourly upkeep has not come by yet.
    """
    found = session_cache.get(session_id)
    if found is not None and found["tenant_id"] == str(principal.tenant_id):
        if not (principal.is_admin or found["owner_sub"] == principal.sub):
            raise _missing()
    else:
        session = get_session(principal, session_id)
        session_cache.put(session)
        found = session_cache.as_document(session)
    if found["status"] == ACTIVE and found["expires_at"] <= (iso(now()) or ""):
        found |= {"status": COMPLETED, "ended_reason": "expired"}
    return found


def require_owner(principal: Principal, session: Session) -> None:
    """An administrator may read and cancel every session of the tenant, but speaks in none of them."""
    if session.owner_sub != principal.sub:
        raise ForbiddenError("Only its owner may add to a session.", code="not_the_owner")


def list_sessions(
    principal: Principal, *, status: str | None, owner_sub: str | None, after: Cursor | None, limit: int
) -> tuple[list[Session], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total."""
    with tenant_scope(principal.tenant_id):
        sessions = Session.objects.filter(tenant_id=principal.tenant_id)
        if owner_sub is not None:
            sessions = sessions.filter(owner_sub=owner_sub)
        expired = Q(status=ACTIVE, expires_at__lte=now())
        if status == COMPLETED:
            sessions = sessions.filter(Q(status=COMPLETED) | expired)
        elif status is not None:
            sessions = sessions.filter(status=status).exclude(expired)
        total = sessions.order_by()[:10_000].count()
        if after is not None:
            sessions = sessions.filter(
                Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id)
            )
        return list(sessions.order_by("-created_at", "-id")[: limit + 1]), total


def list_steps(principal: Principal, session_id: UUID, *, after_seq: int, limit: int) -> tuple[list[SessionStep], bool]:
    """Steps after that number, in order, and whether there are more."""
    with tenant_scope(principal.tenant_id):
        get_session(principal, session_id)
        rows = SessionStep.objects.filter(session_id=session_id, seq__gt=after_seq).order_by("seq")[: limit + 1]
        found = list(rows)
    return found[:limit], len(found) > limit


def get_step(principal: Principal, session_id: UUID, step_id: UUID) -> SessionStep:
    """One step of a session that the caller may read. NotFoundError otherwise."""
    with tenant_scope(principal.tenant_id):
        get_session(principal, session_id)
        step = SessionStep.objects.filter(session_id=session_id, id=step_id).first()
    if step is None:
        raise NotFoundError("There is no such step in this session.", code="step_not_found")
    return step
