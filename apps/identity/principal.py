"""Who is asking: the frozen record every layer passes on. Made from a verified token only (apps/identity/tokens.py)."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

ADMIN_SCOPE = "admin:all"


@dataclass(frozen=True)
class Principal:
    """SPEC 1.1. ``expires_at`` is the token's exp in epoch seconds; 0 where no token is involved (a worker)."""

    sub: str
    tenant_id: UUID
    roles: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)
    expires_at: int = 0

    @property
    def is_admin(self) -> bool:
        """Whether this caller sees every job of its tenant."""
        return "admin" in self.roles or ADMIN_SCOPE in self.scopes

    def as_json(self) -> dict[str, Any]:
        """What a job remembers of its submitter."""
        return {
            "sub": self.sub,
            "tenant_id": str(self.tenant_id),
            "roles": sorted(self.roles),
            "scopes": sorted(self.scopes),
        }
