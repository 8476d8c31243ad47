"""db.switch: while a tenant's graph is read-only nothing changes it, whoever asks and by whatever way."""

from typing import Any

import pytest

from apps.graph import changing, client, erasure
from apps.graph.errors import GraphReadOnlyError
from apps.graph.loading import load
from apps.graph.records import Node
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.integration.toolbox.moving import GENES, gene, sent, sow_genes, stored
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:db")
CHANGE = "MATCH (g:Gene) SET g.symbol = 'X'"


@pytest.fixture
def admin(tenant: Any) -> Principal:
    return make_principal(tenant, "admin")


def test_a_graph_that_is_read_only_takes_no_changes_and_answers_queries(admin: Principal) -> None:
    sow_genes(admin, 1)
    proposed = changing.propose(admin, CHANGE, {})

    switched = result(admin, "db.switch", {"target": "read-only"})
    again = result(admin, "db.switch", {"action": "switch", "target": "read-only"})
    with pytest.raises(GraphReadOnlyError):
        load(admin.tenant_id, [Node("Gene", uid_for(admin.tenant_id, "new"), gene(9))])
    with pytest.raises(GraphReadOnlyError):
        changing.carry_out(admin, CHANGE, {}, token=str(proposed.id))
    with pytest.raises(GraphReadOnlyError):
        client.write(
            "MATCH (n:Gene) WHERE n.tenant_id = $t DELETE n", {"t": str(admin.tenant_id)}, tenant_id=admin.tenant_id
        )
    refused = call(admin, "etl.import", {"file_id": sent(admin, GENES), "format": "csv", "label": "Gene"})

    assert (switched["target"], switched["changed"], again["changed"]) == ("read-only", True, False)
    assert refused.error is not None
    assert refused.error["code"] == "graph_read_only"
    assert [one["symbol"] for one in stored(admin, "Gene")] == ["GENE0"]
    assert result(admin, "etl.export", {"format": "jsonl"})["rows"] == 1

    back = result(admin, "db.switch", {"target": "read-write"})
    load(admin.tenant_id, [Node("Gene", uid_for(admin.tenant_id, "new"), gene(9))])

    assert (back["target"], len(stored(admin, "Gene"))) == ("read-write", 2)


def test_it_is_one_tenants_graph_and_its_end_is_not_held_up(admin: Principal) -> None:
    other = make_principal(make_tenant(), "admin")
    sow_genes(admin, 2)
    result(admin, "db.switch", {"target": "read-only"})

    sow_genes(other, 1)
    erased = erasure.erase(admin.tenant_id, lambda: None)

    assert (erased, len(stored(other, "Gene"))) == (2, 1)


def test_the_state_can_be_asked_for_and_changes_nothing(admin: Principal) -> None:
    status = result(admin, "db.switch", {"action": "status"}, read_only=True)

    assert (status["target"], status["changed"], status["engine"]) == ("read-write", False, "arcadedb")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"action": "status", "target": "read-only"}, {"target": "neo4j"}, {"target": "bolt://elsewhere:7687"}],
    ids=["nothing", "both", "engine", "address"],
)
def test_there_is_nowhere_else_to_switch_to(admin: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(admin, "db.switch", arguments)


@pytest.mark.parametrize("role", ["user", "operator", "curator", "data_engineer", "viewer"])
def test_only_the_tenants_administrators_switch(tenant: Any, role: str) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, role), "db.switch", {"target": "read-only"})
