"""export.csv, export.json and export.cypher: small in the answer, large as a file, and always masked."""

import csv
import io
import json
from typing import Any

import pytest

from apps.files.models import File
from apps.graph.transfer.choice import FORMATS
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.integration.toolbox.moving import content_of, sow_genes, sow_work
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:export")
QUERY = "MATCH (g:Gene) RETURN g.id AS id, g.symbol AS symbol ORDER BY id LIMIT 2"
NAMES = ("export.csv", "export.json", "export.cypher")


def test_rows_of_a_query_come_in_the_answer(principal: Principal) -> None:
    sow_genes(principal, 3)

    as_csv = result(principal, "export.csv", {"cypher": QUERY})
    as_json = result(principal, "export.json", {"cypher": QUERY})

    assert (as_csv["rows"], as_csv["file"]) == (2, None)
    assert as_csv["content"] == "id,symbol\r\ng0,GENE0\r\ng1,GENE1\r\n"
    assert [json.loads(line) for line in as_json["content"].splitlines()] == [
        {"id": "g0", "symbol": "GENE0"}, {"id": "g1", "symbol": "GENE1"},
    ]  # fmt: skip


def test_nodes_come_as_statements_that_make_them_again(principal: Principal) -> None:
    sow_work(principal)

    done = result(principal, "export.cypher", {"cypher": "MATCH (u:User)-[r:RUNS]->(t:Task) RETURN u, r, t"})
    read = [raw for raw in FORMATS["cypher"].read(iter(done["content"].splitlines()), None, "") if raw is not None]

    assert done["rows"] == len(read) == 6
    assert call(principal, "export.cypher", {"cypher": QUERY}).ok
    sow_genes(principal, 1)
    error = call(principal, "export.cypher", {"cypher": QUERY}).error
    assert error is not None
    assert error["code"] == "nothing_to_export"


def test_what_is_large_becomes_a_file_of_the_callers(principal: Principal) -> None:
    sow_genes(principal, 1500)

    done = result(principal, "export.csv", {"labels": ["Gene"]}, idempotency_key="once")
    again = result(principal, "export.csv", {"labels": ["Gene"]}, idempotency_key="once")

    assert (done["content"], done["rows"], done["truncated"]) == (None, 1500, False)
    rows = list(csv.DictReader(io.StringIO(content_of(principal, done["file"]["file_id"]).decode())))
    assert {row["id"] for row in rows} == {f"g{number}" for number in range(1500)}
    assert set(rows[0]) == {"uid", "labels", "id", "symbol", "name", "chromosome"}
    assert again["file"] == done["file"]
    with tenant_scope(principal.tenant_id):
        assert File.objects.count() == 1


def test_a_limit_cuts_and_says_so_and_a_file_can_be_asked_for(principal: Principal) -> None:
    sow_genes(principal, 5)

    cut = result(principal, "export.json", {"labels": ["Gene"], "limit": 3})
    file = result(principal, "export.json", {"labels": ["Gene"], "as_file": True, "name": "genes.jsonl"})

    assert (cut["rows"], cut["truncated"], len(cut["content"].splitlines())) == (3, True, 3)
    assert (file["content"], file["rows"], file["file"]["name"]) == (None, 5, "genes.jsonl")


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_personal_data_is_hidden_in_the_answer_and_in_the_file(principal: Principal, name: str, as_file: bool) -> None:
    sow_work(principal)

    done = result(principal, name, {"labels": ["User"], "as_file": as_file})
    text = content_of(principal, done["file"]["file_id"]).decode() if as_file else done["content"]

    assert "ab0" in text
    assert "ab0@example.org" not in text


@pytest.mark.requirement("security:62")
def test_a_formula_in_the_graph_is_text_in_the_table(principal: Principal) -> None:
    done = result(principal, "export.csv", {"cypher": "RETURN '=HYPERLINK(1)' AS a, -5 AS b, ['@x'] AS c"})

    assert done["content"].splitlines()[1] == '\'=HYPERLINK(1),-5,"[""@x""]"'


def test_nothing_of_another_tenant_is_exported(principal: Principal) -> None:
    sow_genes(make_principal(make_tenant()), 2)

    for name in NAMES:
        assert result(principal, name, {"labels": ["Gene"]})["rows"] == 0


def test_the_gate_stands_before_every_query(principal: Principal) -> None:
    for cypher in ("MATCH (g:Gene) DETACH DELETE g", "LOAD CSV FROM 'file:///etc/passwd' AS x RETURN x",
                   "MATCH (g) WHERE g.tenant_id <> 'x' RETURN g"):  # fmt: skip
        outcome = call(principal, "export.csv", {"cypher": cypher})
        assert outcome.error is not None
        assert outcome.error["code"].startswith("graph_") or outcome.http_status == 422


@pytest.mark.parametrize("name", NAMES)
def test_what_may_not_be_asked_is_refused(tenant: Any, principal: Principal, name: str) -> None:
    for arguments in ({}, {"cypher": QUERY, "labels": ["Gene"]}, {"labels": ["Gene"], "limit": 0}, {"cypher": 7}):
        with pytest.raises(ValidationError):
            call(principal, name, arguments)
    for role in ("viewer", "guest", "auditor"):
        with pytest.raises(ForbiddenError):
            call(make_principal(tenant, role), name, {"labels": ["Gene"]})
