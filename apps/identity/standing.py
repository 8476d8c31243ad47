"""What may have happened to a token since it was signed: revoked, its user disabled, its tenant deleted.

One small read every two seconds a process, whatever the load, instead of one a request. While the database is away
the last known answer holds and the issuer is reported as degraded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connections
from django.db.utils import Error as DatabaseError

from apps.identity.principal import Principal
from apps.identity.reloading import Pace, Reloaded
from kernel.errors import UnavailableError

# A revocation must bite within five seconds: 4 for the age, 1 for the wait.
PACE = Pace(
    fresh_s=2.0,
    overdue_s=4.0,
    expired_s=float("inf"),
    min_interval_s=0.0,
    after_failure_s=1.0,
    patience_s=1.0,
    patience_with_nothing_s=5.0,  # a tenant made a moment ago is not refused because the read took long
)


@dataclass(frozen=True)
class Standing:
    """Read in one go from the issuer's door."""

    revoked_checksums: frozenset[str]
    disabled_subs: frozenset[str]
    active_tenant_ids: frozenset[UUID]
    slugs: Mapping[UUID, str]  # of every tenant, active or not


def is_in_good_standing(*, checksum: str, sub: str, tenant_id: UUID) -> bool:
    """Whether a token with a good signature may still be used. UnavailableError when nothing is known at all."""
    known = current.get()
    if known is None or tenant_id not in known.slugs:
        known = current.reload()  # the tenant may be seconds old
    if known is None:
        raise UnavailableError("Accounts cannot be checked right now. Try again.", code="issuer_unavailable")
    return (
        tenant_id in known.slugs  # one that is suspended is told so by apps/edge/tenant.py
        and sub not in known.disabled_subs
        and checksum not in known.revoked_checksums
    )


def slug_of(tenant_id: UUID) -> str | None:
    """The tenant's short name; None for an unknown tenant, or when nothing is known at all."""
    known = current.get()
    if known is not None and tenant_id not in known.slugs:
        known = current.reload()
    return None if known is None else known.slugs.get(tenant_id)


def is_platform_admin(principal: Principal) -> bool:
    """Whether the caller administers the whole platform: an administrator of the tenant PLATFORM_TENANT names."""
    return principal.is_admin and slug_of(principal.own_tenant_id) == settings.PLATFORM_TENANT


def tenant_is_active(tenant_id: UUID | None) -> bool:
    """The same for a person who is only now signing in."""
    known = current.reload()
    return known is not None and tenant_id in known.active_tenant_ids


def _load() -> Standing:
    # Runs in a thread of its own, whose connection must go back to the pool.
    connection = connections["issuer"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT token_checksum FROM revoked_tokens WHERE expires_at > now() - interval '2 minutes'")
            revoked = frozenset(checksum for (checksum,) in cursor.fetchall())
            cursor.execute("SELECT id::text FROM users WHERE NOT is_active")
            disabled = frozenset(sub for (sub,) in cursor.fetchall())
            # The table is tenancy's, one storey up; its migration lets this role read id, slug and status.
            cursor.execute("SELECT id, slug, status = 'active' FROM tenants")
            tenants = cursor.fetchall()
    finally:
        connection.close()
    return Standing(
        revoked,
        disabled,
        active_tenant_ids=frozenset(tenant_id for tenant_id, _, is_active in tenants if is_active),
        slugs={tenant_id: slug for tenant_id, slug, _ in tenants},
    )


current: Reloaded[Standing] = Reloaded("standing", _load, (DatabaseError,), PACE)
