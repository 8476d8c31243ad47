"""What a person keeps of itself in its tenant (SPEC 8: user.profile): one JSON object for each sub, its owner's alone.

Nothing reads rights from it, and so that nobody is led to believe it, names of rights are refused in it (attack 46).
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from apps.audit import trail
from apps.identity.principal import Principal
from apps.tenancy.merging import merged
from apps.tenancy.models import UserProfile
from kernel.clock import now
from kernel.errors import ForbiddenError, ValidationError
from kernel.payloads import unstorable
from kernel.tenant_context import tenant_scope

PROFILE_BYTES = 16_384
DEPTH_MAX = 8
How = Literal["set", "update"]
RIGHTS = frozenset({
    "role", "roles", "scope", "scopes", "permission", "permissions", "admin", "isadmin", "superuser", "issuperuser",
    "staff", "isstaff", "tenant", "tenantid", "hometenantid", "sub", "ownersub",
})  # fmt: skip
_NOT_LETTERS = re.compile(r"[^a-z]")


def read_profile(principal: Principal) -> UserProfile | None:
    """The caller's own; None when it keeps none."""
    with tenant_scope(principal.tenant_id):
        return _own(principal)


def write_profile(principal: Principal, profile: dict[str, Any], *, how: How) -> UserProfile:
    """Put it in the place of the one that is there (``set``), or lay it over that (``update``; null removes a member).

    ForbiddenError for names of rights; ValidationError for more than PROFILE_BYTES or DEPTH_MAX.
    """
    with tenant_scope(principal.tenant_id):
        UserProfile.objects.get_or_create(tenant_id=principal.tenant_id, owner_sub=principal.sub)
        row = UserProfile.objects.select_for_update().get(owner_sub=principal.sub)
        wanted = _checked(merged(row.profile, profile) if how == "update" else profile)
        if wanted != row.profile:
            row.profile, row.version, row.updated_at = wanted, row.version + 1, now()
            row.save(update_fields=["profile", "version", "updated_at"])
            _audit(principal, "user.profile.changed", row)
        return row


def delete_profile(principal: Principal) -> bool:
    """Whether there was one."""
    with tenant_scope(principal.tenant_id):
        row = _own(principal)
        if row is None:
            return False
        _audit(principal, "user.profile.deleted", row)
        UserProfile.objects.filter(id=row.id).delete()
        return True


def _own(principal: Principal) -> UserProfile | None:
    return UserProfile.objects.filter(tenant_id=principal.tenant_id, owner_sub=principal.sub).first()


def _checked(profile: dict[str, Any]) -> dict[str, Any]:
    for name, depth in _names(profile, 1):
        if _NOT_LETTERS.sub("", name.lower()) in RIGHTS:
            raise ForbiddenError(
                f"A profile gives no rights: {name[:60]!r} cannot be part of it. Administrators grant roles.",
                code="rights_in_profile",
            )
        if depth > DEPTH_MAX:
            raise ValidationError(f"A profile is at most {DEPTH_MAX} levels deep.", code="profile_too_deep")
    reason = unstorable(profile)
    if reason is None and len(json.dumps(profile, ensure_ascii=False).encode()) > PROFILE_BYTES:
        reason = f"it has more than {PROFILE_BYTES:,} bytes"
    if reason is not None:
        raise ValidationError(f"The profile cannot be kept: {reason}.", code="profile_not_storable")
    return profile


def _names(value: Any, depth: int) -> Iterator[tuple[str, int]]:
    """Every member's name, with how deep it stands."""
    parts = value.items() if isinstance(value, dict) else ((None, part) for part in value)
    for name, part in parts:
        yield name or "", depth
        if isinstance(part, dict | list) and depth <= DEPTH_MAX:
            yield from _names(part, depth + 1)


def _audit(principal: Principal, action: str, row: UserProfile) -> None:
    """Which members, not what they say."""
    trail.record(
        **trail.by(principal),
        action=action,
        resource_type="user_profile",
        resource_id=str(row.id),
        details={"members": sorted(row.profile)[:50], "version": row.version},
    )
