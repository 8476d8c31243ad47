"""Writing sessions. Each call is one transaction in the owner's tenant; the cache is told after the commit.

# See docs/tour.md#sessions
"""

import hashlib
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.db.models import F

from apps.agents.models import Session, SessionStep
from apps.agents.sessions import cache as session_cache
from apps.agents.sessions.selectors import get_session, require_owner
from apps.agents.states import ACTIVE, CANCELLED
from apps.identity.principal import Principal
from kernel.clock import now
from kernel.errors import ConflictError, ForbiddenError, PreconditionFailedError, ValidationError
from kernel.tenant_context import tenant_scope


def request_hash(fields: dict[str, Any]) -> str:
    """Whether two requests with one Idempotency-Key are the same: SHA-256 of the canonical body."""
    return hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()


def create_session(
    principal: Principal, *, fields: dict[str, Any], session_id: UUID | None = None, idempotency_key: str | None = None
) -> tuple[Session, bool]:
    """A new active session, and whether an earlier request with this key had made it.

    ``fields`` are columns of Session. ForbiddenError for an agent_role that the caller lacks; ConflictError when
    the id is taken; ValidationError when the key was used for another body.
    """
    role = fields.get("agent_role")
    if role is not None and role not in principal.roles:
        raise ForbiddenError(
            f"agent_role must be one of your own roles ({', '.join(sorted(principal.roles)) or 'you have none'}).",
            code="role_not_held",
        )
    digest = request_hash({**fields, "session_id": session_id})
    with tenant_scope(principal.tenant_id):
        if idempotency_key is not None and (made := _made_before(principal, idempotency_key, digest)):
            return made, True
        session = Session(
            tenant_id=principal.tenant_id,
            owner_sub=principal.sub,
            expires_at=now() + timedelta(seconds=settings.SESSION_IDLE_S),
            idempotency_key=idempotency_key,
            request_hash=digest,
            **fields,
        )
        if session_id is not None:
            session.id = session_id
    try:
        with tenant_scope(principal.tenant_id):
            session.save(force_insert=True)
            session.refresh_from_db()
    except IntegrityError as error:
        with tenant_scope(principal.tenant_id):
            if idempotency_key is not None and (made := _made_before(principal, idempotency_key, digest)):
                return made, True
        raise ConflictError("A session with this id exists already.", code="session_already_exists") from error
    session_cache.put(session)
    return session, False


def _made_before(principal: Principal, key: str, digest: str) -> Session | None:
    made = Session.objects.filter(owner_sub=principal.sub, idempotency_key=key).first()
    if made is not None and made.request_hash != digest:
        raise ValidationError(
            "This Idempotency-Key was used for another request. Use a new key for a new session.",
            code="idempotency_key_reused",
        )
    return made


def change_session(
    principal: Principal, session_id: UUID, fields: dict[str, Any], *, expected_version: int | None = None
) -> Session:
    """Change columns of the caller's own active session. Runs that were made before keep what they were made with.

    ForbiddenError for an administrator who is not its owner, ConflictError once it has ended, PreconditionFailedError
    when it is not at ``expected_version`` any more.
    """
    with tenant_scope(principal.tenant_id):
        get_session(principal, session_id)
        session = Session.objects.select_for_update().get(id=session_id)
        require_owner(principal, session)
        if expected_version is not None and session.version != expected_version:
            raise PreconditionFailedError(
                "The session was changed since you read it. Read it again and repeat your change.",
                current_version=session.version,
            )
        if session.status != ACTIVE or session.expires_at <= now():
            raise ConflictError("The session has ended. Start a new one.", code="session_not_active")
        changed = {name: value for name, value in fields.items() if getattr(session, name) != value}
        if changed:
            for name, value in changed.items():
                setattr(session, name, value)
            session.updated_at, session.version = now(), session.version + 1
            session.save(update_fields=[*changed, "updated_at", "version"])
    session_cache.put(session)
    return session


def cancel_session(principal: Principal, session_id: UUID) -> Session:
    """End the session. One that has ended already stays as it is: a second DELETE is no fault."""
    with tenant_scope(principal.tenant_id):
        get_session(principal, session_id)
        Session.objects.filter(id=session_id, status=ACTIVE).update(
            status=CANCELLED, updated_at=now(), version=F("version") + 1
        )
        session = Session.objects.get(id=session_id)
    session_cache.put(session)
    return session


def add_step(
    principal: Principal, session_id: UUID, *, fields: dict[str, Any], idempotency_key: str | None = None
) -> tuple[SessionStep, bool]:
    """Append a step to an active session; it becomes the last one. And whether an earlier request had appended it.

    Steps are recorded only: no agent runs because of one. ConflictError (``session_not_active``) once it has ended.
    """
    digest = request_hash(fields)
    with tenant_scope(principal.tenant_id):
        get_session(principal, session_id)
        # The row's lock makes the numbers gapless and settles who comes first.
        session = Session.objects.select_for_update().get(id=session_id)
        require_owner(principal, session)
        if idempotency_key is not None:
            made = SessionStep.objects.filter(session_id=session_id, idempotency_key=idempotency_key).first()
            if made is not None and made.request_hash != digest:
                raise ValidationError(
                    "This Idempotency-Key was used for another step. Use a new key.", code="idempotency_key_reused"
                )
            if made is not None:
                return made, True
        if session.status != ACTIVE or session.expires_at <= now():
            raise ConflictError("The session has ended. Start a new one.", code="session_not_active")
        moment = now()
        step = SessionStep.objects.create(
            tenant_id=principal.tenant_id,
            session_id=session_id,
            seq=session.last_step_seq + 1,
            completed_at=moment,
            idempotency_key=idempotency_key,
            request_hash=digest,
            **fields,
        )
        step.refresh_from_db()
        session.last_step_id, session.last_step_seq = step.id, step.seq
        session.updated_at, session.version = moment, session.version + 1
        session.expires_at = moment + timedelta(seconds=settings.SESSION_IDLE_S)
        session.save(update_fields=["last_step_id", "last_step_seq", "updated_at", "version", "expires_at"])
    session_cache.put(session)
    return step, False
