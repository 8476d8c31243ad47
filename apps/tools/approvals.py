"""Calls that wait for a person (R31, attack 113). What counts is a row that the server signed, never a text.

A row names exactly one call: tool, caller, and all arguments as the tool would get them. It is decided once, by its
caller over the API or by an administrator, for 24 hours, and used once. Of one call one row waits; where one of its
rows is denied, the call is, whatever another says.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core import signing
from pydantic_core import to_json

from apps.audit import trail
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.tools import registry
from apps.tools.context import Door
from apps.tools.models import APPROVED, DENIED, PENDING, USED, ToolApproval
from apps.tools.spec import ToolSpec
from kernel.clock import now
from kernel.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from kernel.tenant_context import prepared_cursor, tenant_scope

EXPIRES_IN_S = 24 * 3600
MANAGE = "tools:update"  # who decides for others of the own tenant
ARGUMENTS_BYTES = 64 * 1024  # of canonical JSON: no person looks at more
WAITING_MAX = 100  # of one caller
SIGNED_AS = "tools.approval"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that needs an approval."""

    principal: Principal
    tool: ToolSpec
    arguments: Mapping[str, Any]
    door: Door
    run_id: UUID | None = None

    @property
    def sha256(self) -> str:
        return arguments_sha256(self.arguments)


def arguments_sha256(arguments: Mapping[str, Any]) -> str:
    """Of their canonical JSON, in hex."""
    return hashlib.sha256(canonical_text(arguments).encode()).hexdigest()


def canonical_text(arguments: Mapping[str, Any]) -> str:
    """JSON without spaces, keys in order at every depth."""
    return to_json(_sorted(arguments)).decode()


def find_approved(asked: Asked) -> UUID | None:
    """The approval that lets this very call through; not used yet."""
    with tenant_scope(asked.principal.tenant_id):
        rows = list(_of_call(asked).filter(status__in=(APPROVED, DENIED)))
        if any(row.status == DENIED for row in rows):
            return None
        return next((row.id for row in rows if _is_genuine(row)), None)


def ask(asked: Asked) -> ToolApproval:
    """The row that waits for this call: one that is there, or a new one. One that was denied stays denied.

    ValidationError for arguments that no person can look at; ConflictError when WAITING_MAX of the caller's wait.
    """
    size = len(canonical_text(asked.arguments).encode())
    if size > ARGUMENTS_BYTES:
        raise ValidationError(
            f"{asked.tool.name} has to be approved by a person, and its arguments have {size:,} bytes; a person looks "
            f"at {ARGUMENTS_BYTES:,} at most. Make several smaller calls.",
            code="arguments_too_large",
        )
    with tenant_scope(asked.principal.tenant_id):
        _wait_for_turn(asked.principal)
        of_call = _of_call(asked)
        found = of_call.filter(status=DENIED).first() or of_call.filter(status=PENDING).first()
        if found is not None:
            return found
        waiting = ToolApproval.objects.filter(owner_sub=asked.principal.sub, status=PENDING, expires_at__gt=now())
        if waiting.count() >= WAITING_MAX:
            raise ConflictError(
                f"{WAITING_MAX} of your calls wait for a person already. Decide some of them: see /v1/tools/approvals.",
                code="too_many_approvals",
            )
        row, _ = ToolApproval.objects.update_or_create(  # of one that expired nobody decided: it waits anew
            tenant_id=asked.principal.tenant_id,
            owner_sub=asked.principal.sub,
            tool=asked.tool.name,
            arguments_sha256=asked.sha256,
            status=PENDING,
            defaults={
                "effect": asked.tool.effect_of(asked.arguments),
                "arguments": dict(asked.arguments),
                "door": asked.door,
                "run_id": asked.run_id,
                "created_at": now(),
                "expires_at": now() + timedelta(seconds=EXPIRES_IN_S),
            },
        )
        _record(asked.principal, "tools.approval.ask", row)
    return row


def use(principal: Principal, approval_id: UUID) -> bool:
    """Spend an approval. False when somebody else just did, or it has expired."""
    with tenant_scope(principal.tenant_id):
        found = ToolApproval.objects.filter(id=approval_id, owner_sub=principal.sub, expires_at__gt=now())
        return found.filter(status=APPROVED).update(status=USED) == 1


def visible_to(principal: Principal) -> Any:
    """The rows that this caller may see, newest first: its own, for who manages tools all of the tenant's. Inside a
    tenant scope."""
    rows = ToolApproval.objects.order_by("-created_at")
    return rows if rbac.may(principal, MANAGE) else rows.filter(owner_sub=principal.sub)


def decide(principal: Principal, approval_id: UUID, *, approve: bool, arguments_sha256: str) -> ToolApproval:
    """Approve or deny, in a person's name.

    ``arguments_sha256``: what that person saw; ValidationError when it is not what the row says. ConflictError when it
    was decided or has expired; NotFoundError when it is not there for this caller; ForbiddenError for a caller that
    neither manages tools nor could make the call itself.
    """
    with tenant_scope(principal.tenant_id):
        row = visible_to(principal).select_for_update().filter(id=approval_id).first()
        if row is None:
            raise NotFoundError("There is no such approval.", code="approval_not_found")
        _require_right(principal, row)
        if not hmac.compare_digest(row.arguments_sha256, arguments_sha256):
            raise ValidationError(
                "arguments_sha256 is not that of this approval's arguments. Read it again and look at them.",
                code="approval_mismatch",
            )
        if row.status != PENDING or row.expires_at <= now():
            state = row.status if row.status != PENDING else "expired"
            raise ConflictError(f"This approval is {state}. Make the call again to ask anew.", code="approval_closed")
        row.status, row.decided_by, row.decided_at = APPROVED if approve else DENIED, principal.sub, now()
        row.signature = _signature(row)
        row.save()
        _record(principal, "tools.approval.approve" if approve else "tools.approval.deny", row)
    return row


def _wait_for_turn(principal: Principal) -> None:
    """Until the transaction's end nobody else asks for this caller."""
    place = f"tools.approval:{principal.tenant_id}:{principal.sub}"
    with prepared_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%(place)s, 0))", {"place": place})


def _require_right(principal: Principal, row: ToolApproval) -> None:
    """Who may not make a call does not let it through either, be it its own: a token of fewer scopes is no person."""
    if rbac.may(principal, MANAGE):
        return
    tool = registry.find(principal.tenant_id, row.tool)
    missing = registry.lacks(principal, tool.called_with(row.arguments))
    if missing is not None:
        raise ForbiddenError(
            f"Who decides on a call of {row.tool} needs {missing}, which you do not have.",
            required_permission=missing,
            required_scopes=list(tool.required_scopes),
        )


def _of_call(asked: Asked) -> Any:
    return ToolApproval.objects.filter(
        owner_sub=asked.principal.sub,
        tool=asked.tool.name,
        arguments_sha256=asked.sha256,
        expires_at__gt=now(),
    )


def _is_genuine(row: ToolApproval) -> bool:
    """Whether this server decided it, about these arguments."""
    if row.arguments_sha256 != arguments_sha256(row.arguments):
        return False
    return hmac.compare_digest(row.signature, _signature(row))


def _signature(row: ToolApproval) -> str:
    said = [row.id, row.tenant_id, row.owner_sub, row.tool, row.arguments_sha256, row.status, row.decided_by]
    return signing.Signer(salt=SIGNED_AS).signature("\x1f".join(str(part) for part in said))


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))  # as it comes out of PostgreSQL: 1e22 with all of its digits
    return [_sorted(part) for part in value] if isinstance(value, list) else value


def _record(principal: Principal, action: str, row: ToolApproval) -> None:
    trail.record(
        **trail.by(principal),
        action=action,
        resource_type="tool_approval",
        resource_id=str(row.id),
        details={"tool": row.tool, "arguments_sha256": row.arguments_sha256, "owner_sub": row.owner_sub},
    )
