"""Seed data into a tenant's graph."""

from collections.abc import Callable
from uuid import UUID

from apps.graph import epoch
from apps.graph.loading import Loaded, load
from apps.graph.seeding.generator import generate
from apps.graph.uids import uid_for


def sow(tenant_id: UUID, *, users: int, seed: int, report: Callable[[Loaded], None] = lambda loaded: None) -> Loaded:
    """Everything that is missing of the data for these numbers. Another seed adds other data beside the first."""
    records = generate(users, seed=seed, uid=lambda name: uid_for(tenant_id, f"seed {seed} {name}"))
    loaded = load(tenant_id, records, report)
    epoch.advance(at_once=True)
    return loaded
