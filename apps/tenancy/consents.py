"""Consents as facts (SPEC 8: privacy.consent): granted or revoked, when, by whom. Nothing is changed; the last counts.

A caller speaks for itself. For another subject it needs a scope of the privacy roles (contract 6.1), held by its token
and by one of its roles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.audit import trail
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.scopes import covers
from apps.tenancy.models import Consent
from kernel.errors import ForbiddenError
from kernel.tenant_context import tenant_scope

MANAGE, READ = "privacy:consent:manage", "privacy:read"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is to be recorded. ``subject_id`` None: of the caller. ``id``: the same for every repeat."""

    id: UUID
    purpose: str
    is_granted: bool
    subject_id: str | None = None
    meta: dict[str, Any] | None = None


def record_consent(principal: Principal, fact: Fact) -> tuple[Consent, bool]:
    """Keep the fact; and whether an earlier try had kept it. ForbiddenError for a subject that is not the caller's to
    speak for."""
    subject = _subject(principal, fact.subject_id, (MANAGE,))
    with tenant_scope(principal.tenant_id):
        made = Consent.objects.filter(id=fact.id).first()
        if made is not None:
            return made, True
        row = Consent(
            id=fact.id,
            tenant_id=principal.tenant_id,
            subject_id=subject,
            purpose=fact.purpose,
            is_granted=fact.is_granted,
            meta=fact.meta or {},
            recorded_by=principal.sub,
        )
        row.save(force_insert=True)
        row.refresh_from_db()
        trail.record(
            **trail.by(principal),
            action="consent.granted" if fact.is_granted else "consent.revoked",
            resource_type="consent",
            resource_id=str(row.id),
            details={"purpose": fact.purpose, "own": subject == principal.sub},
        )
    return row, False


def latest_consent(principal: Principal, subject_id: str | None, purpose: str) -> Consent | None:
    """The fact that counts now; None when nobody ever said anything, which is no consent."""
    subject = _subject(principal, subject_id, (READ, MANAGE))
    with tenant_scope(principal.tenant_id):
        facts = Consent.objects.filter(tenant_id=principal.tenant_id, subject_id=subject, purpose=purpose)
        return facts.order_by("-recorded_at", "-id").first()


def list_consents(
    principal: Principal, subject_id: str | None, *, purpose: str | None, limit: int
) -> tuple[list[Consent], bool]:
    """The subject's facts, newest first, and whether there are more."""
    subject = _subject(principal, subject_id, (READ, MANAGE))
    with tenant_scope(principal.tenant_id):
        facts = Consent.objects.filter(tenant_id=principal.tenant_id, subject_id=subject)
        if purpose is not None:
            facts = facts.filter(purpose=purpose)
        found = list(facts.order_by("-recorded_at", "-id")[: limit + 1])
    return found[:limit], len(found) > limit


def subject_of(principal: Principal, subject_id: str | None) -> str:
    """Who is meant: the caller where nobody is named."""
    return principal.sub if subject_id is None else subject_id


def _subject(principal: Principal, subject_id: str | None, any_of: Sequence[str]) -> str:
    subject = subject_of(principal, subject_id)
    if subject == principal.sub:
        return subject
    of_roles = rbac.scopes_of(principal.roles)
    if not any(covers(principal.scopes, scope) and covers(of_roles, scope) for scope in any_of):
        raise ForbiddenError(
            f"For another subject than yourself you need {' or '.join(any_of)}, which you do not have.",
            code="not_your_consent",
            required_scopes=list(any_of),
        )
    return subject
