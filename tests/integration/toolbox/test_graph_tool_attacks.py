"""What must not pass the gate passes it by no tool either; and what is naughty is only text."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

DATA = Path(__file__).parents[2] / "data"
NAUGHTY: list[str] = json.loads((DATA / "blns" / "blns.json").read_text())
ATTACKS = {
    "write": "MATCH (n:Task) SET n.status = 'failed' RETURN n",
    "comment": "MATCH (n:Task) DETACH/**/DELETE n",
    "line-comment": "MATCH (n) // x\nDELETE n",
    "escape": "MATCH (n) \\u0044ELETE n",
    "csv": "LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",
    "module": "CALL mg.create_module_file('x.py', 'import os') YIELD path RETURN path",
    "runs-text": "CALL do.when(true, 'MATCH (n) DELETE n', '') YIELD value RETURN value",
    "network": "CALL json_util.load_from_url('http://169.254.169.254/') YIELD objects RETURN objects",
    "refactor": "CALL refactor.rename_label('A', 'B')",
    "alias": "CALL `mg`.`load_all`()",
    "function": "MATCH (n) RETURN username() AS x",
    "administration": "SHOW USERS",
    "two": "MATCH (n) RETURN n; MATCH (n) DELETE n",
    "union": "MATCH (n) RETURN n UNION MATCH (n) DELETE n",
    "deep": "RETURN " + "(" * 500 + "1" + ")" * 500 + " AS x",
    "no-return": "MATCH (n)",
    "label-parameter": "MATCH (n:$label) RETURN n",
    "reserved": "MATCH (n) WHERE n.name = $__tenant RETURN n",
    "product": "MATCH (a), (b), (c), (d) RETURN count(*) AS n",
    "regex": "MATCH (u:User) WHERE u.user_name =~ '(a+)+$' RETURN u",
    "tenant": "MATCH (n) WHERE n.tenant_id = 'B' OR true RETURN n",
    "id": "MATCH (n) WHERE id(n) = 17 RETURN n",
    "any-key": "MATCH (n) WITH n, 'tenant' + '_id' AS k RETURN n[k] AS x",
}  # fmt: skip
DOORS: dict[str, dict[str, Any]] = {
    "graph.query": {},
    "graph.explain": {},
    "graph.secure_query": {"action": "execute"},
    "graph.generate_cypher": {"action": "explain"},
    "analytics.visualize": {},
}


@pytest.fixture(scope="module")
def open_tenant() -> Tenant:
    """A tenant that hides no personal data: what comes back is what is stored."""
    made = make_tenant()
    change_tenant(made.id, {"settings": {"pii_mode": "off"}}, by=None)
    return made


@pytest.fixture(scope="module")
def curator(open_tenant: Tenant) -> Principal:
    return make_principal(open_tenant, "curator")


def gene(**properties: Any) -> dict[str, Any]:
    return {"id": "g", "symbol": "s", "name": "n", "chromosome": "1", **properties}


@pytest.mark.requirement("tools:attacks")
@pytest.mark.parametrize("name", DOORS)
def test_no_tool_lets_a_text_through_that_the_gate_refuses(curator: Principal, name: str) -> None:
    for attack, cypher in ATTACKS.items():
        outcome = call(curator, name, {**DOORS[name], "cypher": cypher})

        assert outcome.error is not None, attack
        assert outcome.error["code"] == "cypher_refused", (attack, outcome.error)


@pytest.mark.requirement("tools:attacks")
@pytest.mark.parametrize("cypher", [*(ATTACKS[one] for one in ("write", "csv", "reserved", "tenant")),
                                    "'}) DETACH DELETE n //", "` RETURN 1 //", "$__tenant"])  # fmt: skip
def test_a_text_is_a_value_wherever_a_name_is_not_one(curator: Principal, cypher: str) -> None:
    made = result(curator, "crud.create_node", {"label": "Gene", "properties": gene(name=cypher)})["uid"]
    where = [{"property": "name", "op": "=", "value": cypher}]

    refused = [
        call(curator, name, arguments).error
        for name, arguments in (
            ("crud.create_node", {"label": cypher, "properties": gene(id="other")}),
            ("crud.create_node", {"label": "Gene", "properties": {**gene(id="other"), cypher: "x"}}),
            ("crud.update_node", {"uid": cypher, "properties": {"name": "x"}}),
            ("crud.create_relationship", {"type": cypher, "start": made, "end": made}),
            ("analytics.query", {"label": "Gene", "group_by": [cypher], "metrics": [{"function": "count"}]}),
            ("analytics.aggregate", {"label": "Gene", "join": cypher}),
            ("graph.search", {"query": "x", "label": cypher}),
        )
    ]
    found = result(curator, "analytics.query", {"label": "Gene", "where": where, "columns": ["name"]})
    hits = result(curator, "graph.search", {"query": cypher, "label": "Gene"})["hits"]
    gone = result(curator, "crud.delete_node", {"label": "Gene", "match": {"name": cypher}})

    assert all(error is not None for error in refused)
    assert {str(error["code"]) for error in refused if error} <= {"unknown_name", "cypher_refused", "node_not_found"}
    assert found["rows"] == [[cypher]] and [hit["uid"] for hit in hits] == [made]
    assert gone["uids"] == [made]


@pytest.mark.requirement("security:62")
def test_naughty_strings_come_back_as_they_were_stored(curator: Principal) -> None:
    halves = (NAUGHTY[:258], NAUGHTY[258:])

    for number, texts in enumerate(halves):
        properties = {"task_id": f"naughty-{number}", "status": "queued", "tags": texts}
        node = result(curator, "crud.create_node", {"label": "Task", "properties": properties})["node"]
        assert node["properties"]["tags"] == texts
    read = result(curator, "graph.query", {"cypher": "MATCH (t:Task) RETURN t.tags AS tags ORDER BY t.task_id"})
    columns = {"label": "Task", "columns": ["task_id", "tags"], "order": ["task_id"]}

    assert [row[0] for row in read["rows"]] == list(halves)
    assert [row[1] for row in result(curator, "analytics.query", columns)["rows"]] == list(halves)
    for text in ("\u202e", "' OR 1=1 --", "{{7*7}}", "Ω≈ç√∫˜µ≤≥÷", "\\\"'`", "$HOME", "null"):
        where = [{"property": "tags", "op": "=", "value": text}]
        counted = result(curator, "analytics.aggregate", {"label": "Task", "where": where})["rows"]
        assert counted == [[sum(text in half for half in halves)]], text
