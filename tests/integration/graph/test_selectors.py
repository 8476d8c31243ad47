"""Counts of a tenant's graph."""

from typing import Any

import pytest

from apps.graph import selectors
from apps.graph.seeding.generator import generate
from apps.graph.seeding.sowing import sow
from tests.factories import make_tenant


@pytest.mark.requirement("graph:counts")
def test_counts_are_the_tenants_own_and_name_everything(tenant: Any) -> None:
    sow(tenant.id, users=1, seed=1)
    records = list(generate(1, seed=1, uid=str))

    counts = selectors.schema_counts(tenant.id)
    others = selectors.schema_counts(make_tenant().id)

    assert counts.nodes + counts.relationships == len(records)
    assert counts.kinds["Blast"] <= counts.labels["Task"]
    assert (len(counts.labels), len(counts.types)) == (14, 4)
    assert others.nodes == others.relationships == 0


def test_counts_are_remembered_for_a_moment(tenant: Any) -> None:
    before = selectors.schema_counts(tenant.id)
    sow(tenant.id, users=1, seed=1)

    remembered = selectors.schema_counts(tenant.id)
    fresh = selectors.schema_counts(tenant.id, fresh=True)

    assert remembered == before
    assert fresh.nodes > 0
