"""Who is asking: the frozen record every layer passes on. Made from a verified token only (apps/identity/tokens.py)."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ADMIN_SCOPE = "admin:all"
_ADMIN_SCOPES = frozenset({ADMIN_SCOPE, "admin:*"})


@dataclass(frozen=True)
class Principal:
    """SPEC 1.1. ``expires_at`` is the token's exp in epoch seconds; 0 where no token is involved (a worker)."""

    sub: str
    tenant_id: UUID
    roles: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)
    expires_at: int = 0
    home_tenant_id: UUID | None = None  # of a platform administrator who acts for tenant_id by X-Tenant-Id

    @property
    def own_tenant_id(self) -> UUID:
        """The tenant that the token names, whomever the caller acts for."""
        return self.home_tenant_id or self.tenant_id

    @property
    def is_admin(self) -> bool:
        """Whether this caller sees every job of its tenant: an administrator whose token was not narrowed."""
        return "admin" in self.roles and not _ADMIN_SCOPES.isdisjoint(self.scopes)

    def as_json(self) -> dict[str, Any]:
        """What a job remembers of its submitter."""
        acting = {} if self.home_tenant_id is None else {"home_tenant_id": str(self.home_tenant_id)}
        return {
            "sub": self.sub,
            "tenant_id": str(self.tenant_id),
            "roles": sorted(self.roles),
            "scopes": sorted(self.scopes),
            **acting,
        }

    @classmethod
    def from_json(cls, said: dict[str, Any]) -> "Principal":
        """The submitter that a job remembers, with no more than it had then."""
        home = said.get("home_tenant_id")
        return cls(
            said["sub"],
            UUID(said["tenant_id"]),
            frozenset(said["roles"]),
            frozenset(said["scopes"]),
            home_tenant_id=None if home is None else UUID(home),
        )
