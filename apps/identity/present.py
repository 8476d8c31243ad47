"""What a submitter may do now, for work that goes on after its request is over (attacks 47, 48).

Work acts with what its submitter had when it was asked for, and never with more than the submitter has at this moment:
an account that was disabled or lost a role, and a tenant that was suspended, are noticed within seconds.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connections
from django.db.utils import Error as DatabaseError

from apps.identity import standing
from apps.identity.principal import Principal
from apps.identity.rbac import scopes_of
from apps.identity.scopes import covers
from kernel.errors import ForbiddenError, UnavailableError

BELIEVED_S = 2.0
REMEMBERED = 5_000
ACCOUNT = "SELECT is_active, roles FROM users WHERE id = %s"


@dataclass(frozen=True, slots=True)
class _Account:
    is_active: bool
    roles: frozenset[str]


_known: OrderedDict[str, tuple[float, _Account | None]] = OrderedDict()
_lock = threading.Lock()


def rights_now(said: Principal) -> Principal:
    """``said`` with no more than it has now. ForbiddenError when its tenant is not active, or its account is disabled
    or has none of the roles left; UnavailableError while that cannot be looked up.

    Roles that an outside issuer gives are known from its tokens only: those stay as they were.
    """
    for tenant_id in {said.tenant_id, said.own_tenant_id}:
        _require_active(tenant_id)
    account = _account(said.sub)
    if account is None:
        return said
    if not account.is_active:
        raise ForbiddenError("The account that asked for this is disabled.", code="account_disabled")
    roles = said.roles & account.roles
    if roles == said.roles:
        return said
    if not roles:
        raise ForbiddenError("The account that asked for this has lost its roles.", code="roles_lost")
    return narrowed(said, roles)


def narrowed(principal: Principal, roles: frozenset[str]) -> Principal:
    """The principal with these of its roles alone, and what they may have of its scopes."""
    possible = scopes_of(roles)
    kept = {scope for scope in principal.scopes if covers(possible, scope)}
    kept |= {scope for scope in possible if covers(principal.scopes, scope)}  # a wide scope covers single ones
    return replace(principal, roles=roles, scopes=frozenset(kept))


def _require_active(tenant_id: UUID) -> None:
    known = standing.current.get()
    if known is None or tenant_id not in known.active_tenant_ids:
        known = standing.current.reload()  # it may be seconds old
    if known is None:
        raise UnavailableError("Accounts cannot be checked right now. Try again.", code="issuer_unavailable")
    if tenant_id not in known.active_tenant_ids:
        raise ForbiddenError("The tenant is not active.", code="tenant_not_active")


def _account(sub: str) -> _Account | None:
    """The built-in issuer's account; None for a caller that has none here."""
    now = time.monotonic()
    found = _known.get(sub)
    if found is not None and now - found[0] < BELIEVED_S:
        return found[1]
    account = _read(sub)
    with _lock:
        _known[sub] = (now, account)
        _known.move_to_end(sub)
        if len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return account


def _read(sub: str) -> _Account | None:
    try:
        user_id = UUID(sub)
    except ValueError:
        return None
    connection = connections["issuer"]
    try:
        with connection.cursor() as cursor:
            cursor.execute(ACCOUNT, [user_id])
            row = cursor.fetchone()
    except DatabaseError as error:
        raise UnavailableError("Accounts cannot be checked right now. Try again.", code="issuer_unavailable") from error
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return None if row is None else _Account(row[0], frozenset(row[1]))
