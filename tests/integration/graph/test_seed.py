"""Seed data on the real server."""

import io
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from apps.graph import client
from apps.graph.loading import Loaded
from apps.graph.records import Edge, Node
from apps.graph.schema import KINDS, LABEL_NAMES
from apps.graph.seeding.generator import DEFAULT_SEED, generate
from apps.graph.seeding.sowing import sow
from tests.factories import make_tenant

USERS = 6


def by_label(tenant_id: UUID) -> dict[str, int]:
    text = "MATCH (n) WHERE n.tenant_id = $t UNWIND labels(n) AS label RETURN label, count(*)"
    return dict(client.read(text, {"t": str(tenant_id)}, tenant_id=tenant_id).rows)


def relationships(tenant_id: UUID) -> dict[str, int]:
    text = (
        "MATCH (a)-[r]->(b) WHERE r.tenant_id = $t AND a.tenant_id = $t AND b.tenant_id = $t RETURN type(r), count(*)"
    )
    return dict(client.read(text, {"t": str(tenant_id)}, tenant_id=tenant_id).rows)


@pytest.mark.requirement("graph:seed")
def test_a_seeded_graph_is_what_the_generator_said() -> None:
    tenant = make_tenant()
    said = list(generate(USERS, seed=DEFAULT_SEED, uid=str))

    loaded = sow(tenant.id, users=USERS, seed=DEFAULT_SEED)

    counted = by_label(tenant.id)
    assert set(counted) == set(LABEL_NAMES)
    assert sum(counted[label] for label in counted if label not in KINDS) == sum(isinstance(one, Node) for one in said)
    assert sum(relationships(tenant.id).values()) == sum(isinstance(one, Edge) for one in said)
    assert loaded.nodes_created + loaded.relationships_created == len(said)


@pytest.mark.requirement("graph:seed-again")
def test_seeding_again_changes_nothing() -> None:
    tenant = make_tenant()
    first = sow(tenant.id, users=2, seed=7)

    again = sow(tenant.id, users=2, seed=7)

    assert again == Loaded(unchanged=first.nodes_created + first.relationships_created)


def test_seeding_mends_what_is_missing_or_differs() -> None:
    tenant = make_tenant()
    first = sow(tenant.id, users=2, seed=7)
    t = {"t": str(tenant.id)}
    client.write("MATCH (n:Gene {symbol: 'TP53'}) WHERE n.tenant_id = $t DELETE n", t, tenant_id=tenant.id)
    client.write("MATCH (n:Tool {name: 'BLAST+'}) WHERE n.tenant_id = $t SET n.version = '1'", t, tenant_id=tenant.id)
    gone = client.write("MATCH (:User {tenant_id: $t})-[r:RUNS]->() DELETE r", t, tenant_id=tenant.id)

    again = sow(tenant.id, users=2, seed=7)

    assert (again.nodes_created, again.nodes_changed) == (1, 1)
    assert again.relationships_created == gone.counters.relationships_deleted > 0
    assert sow(tenant.id, users=2, seed=7).unchanged == first.nodes_created + first.relationships_created


def test_two_tenants_seeded_alike_share_nothing() -> None:
    one, other = make_tenant(), make_tenant()
    sow(one.id, users=1, seed=DEFAULT_SEED)

    loaded = sow(other.id, users=1, seed=DEFAULT_SEED)

    assert loaded.unchanged == 0
    assert by_label(one.id) == by_label(other.id)


def test_the_command_says_what_it_made() -> None:
    tenant, out = make_tenant(), io.StringIO()

    call_command("seed_graph", tenant=tenant.slug, users=1, stdout=out)

    assert "nodes and" in out.getvalue()


@pytest.mark.parametrize("wrong", [{"tenant": "no-such-tenant", "users": 1}, {"tenant": "demo", "users": 0}])
def test_the_command_refuses_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        call_command("seed_graph", **wrong)
