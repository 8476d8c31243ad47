"""What a change writes fits the schema: types, values, directions, and everything that may not be missing."""

from typing import Any

import pytest

from apps.graph.gate.change import inspect_change
from apps.graph.gate.verdict import GateRefusal

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
GENE = "id: 'g', symbol: 's', name: 'n', chromosome: '1'"
pytestmark = pytest.mark.requirement("gate:fits-schema")


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("MATCH (t:Task) SET t.status = 'failed'", {}),
        ("MATCH (t:Task) SET t.status = $status", {"status": "queued"}),
        ("MATCH (t:Task) SET t.start = NULL", {}),
        ("MATCH (t:Task) SET t.tags = t.tags + 'seen'", {}),
        ("MATCH (t:Task) SET t.tags = [x IN t.tags WHERE x <> 'old']", {}),
        ("MATCH (t:Task) SET t.tags = ['a', 'b']", {}),
        ("MATCH (t:Task) SET t.blasttype = 'blastn'", {}),
        ("MATCH (t:Task:Blast) SET t.evalue = 1", {}),
        ("MATCH (t:Task) SET t.duration_s = t.duration_s * 2 + 1", {}),
        ("MATCH (t:Task) SET t.duration_s = CASE WHEN t.duration_s > 9 THEN 9 ELSE NULL END", {}),
        ("MATCH (f:File) SET f.user_filename = toLower(f.user_filename) + '.' + f.extension", {}),
        ("MATCH (s:Sample) SET s.organism = 'Sus scrofa'", {}),
        ("MATCH (a:Task), (b:Task) SET a.status = b.status", {}),
        ("MATCH (u:User) WITH u AS v SET v.email = NULL", {}),
        ("MATCH (e:Experiment) SET e.date = '2024-05-31'", {}),
        ("MATCH (r:Result) SET r.timestamp = $t, r.score = 0.5", {"t": "2024-05-31T08:00:00Z"}),
        ("UNWIND $rows AS row MATCH (t:Task {task_id: row.id}) SET t.status = row.status",
         {"rows": [{"id": "1", "status": "failed"}]}),
        ("UNWIND $rows AS row WITH row.n AS n, row.id AS id MATCH (t:Task {task_id: id}) SET t.duration_s = n",
         {"rows": [{"id": "1", "n": 5}]}),
        (f"CREATE (g:Gene {{{GENE}}})", {}),
        ("CREATE (g:Gene {id: 'g'}) SET g += {symbol: 's', name: 'n', chromosome: '1'}", {}),
        ("CREATE (t:Task:Bold {task_id: 'x', status: 'queued', marker: 'ITS'})", {}),
        ("MATCH (u:User), (t:Task) CREATE (t)<-[:RUNS]-(u)", {}),
        ("MATCH (u)-[:WORKS_AT]->(), (t:Task) CREATE (u)-[:RUNS]->(t)", {}),
        ("MATCH ()-[w:WORKS_AT]->() SET w.since = 2020", {}),
        ("MATCH (u:User)-[:RUNS]->(t) SET t.status = 'failed'", {}),
    ],
)  # fmt: skip
def test_what_fits_passes(text: str, given: dict[str, Any]) -> None:
    assert inspect_change(text, given, tenant_id=TENANT).text


@pytest.mark.parametrize(
    ("text", "given", "reason"),
    [
        ("MATCH (t:Task) SET t.status = 1", {}, "a text"),
        ("MATCH (t:Task) SET t.status = 'done'", {}, "is no status"),
        ("MATCH (t:Task) SET t.status = $s", {"s": True}, "a text"),
        ("MATCH (t:Task) SET t.status = toUpper(t.status)", {}, "cannot be seen"),
        ("MATCH (t:Task) SET t.status = t.task_id", {}, "cannot be seen"),
        ("MATCH (t:Task) SET t.status = NULL", {}, "taken away"),
        ("MATCH (t:Task) REMOVE t.status", {}, "taken away"),
        ("MATCH (t:Task) SET t.duration_s = 1.5", {}, "a whole number"),
        ("MATCH (t:Task) SET t.duration_s = t.duration_s / 2.0", {}, "cannot be seen"),
        ("MATCH (t:Task) SET t.duration_s = $n", {"n": 2**63 - 0.5}, "a whole number"),
        ("MATCH (t:Task) SET t.tags = 'a'", {}, "a list"),
        ("MATCH (t:Task) SET t.tags = ['a', 1]", {}, "a list"),
        ("MATCH (t:Task) SET t.symbol = 'x'", {}, "has no property symbol"),
        ("MATCH (t:Task:Bold) SET t.blasttype = 'blastn'", {}, "has no property blasttype"),
        ("MATCH (n) SET n.type = 'alignment'", {}, "is no type"),
        ("MATCH (n) SET n.role = 'x'", {}, "has no property role"),
        ("MATCH (e:Experiment) SET e.date = '31/5/2024'", {}, "a date"),
        ("MATCH (e:Experiment) SET e.date = date()", {}, "cannot be seen"),
        ("MATCH (f:File), (t:Task) SET f.size = t.duration_s", {}, "cannot be seen"),
        ("MATCH (t:Task) SET t += $map", {"map": {"status": "done"}}, "is no status"),
        ("MATCH (t:Task) SET t += {duration_s: 'long'}", {}, "a whole number"),
        ("UNWIND $rows AS row MATCH (t:Task {task_id: row.id}) SET t.status = row.status",
         {"rows": [{"id": "1", "status": "failed"}, {"id": "2", "status": "x"}]}, "is no status"),
        ("UNWIND $rows AS row MATCH (t:Task) SET t.status = row.status", {"rows": [{}]}, "taken away"),
        ("CREATE (g:Gene {id: 'g'})", {}, "needs symbol"),
        ("CREATE (t:Task {task_id: 'x', status: 'queued', marker: 'ITS'})", {}, "has no property marker"),
        ("CREATE (t:Bold {task_id: 'x', status: 'queued', marker: 'ITS'})", {}, "is a kind of Task"),
        ("CREATE (t:Task:Gene {task_id: 'x'})", {}, "cannot be"),
        ("MERGE (g:Gene {id: 'g'}) ON MATCH SET g += {symbol: 's', name: 'n', chromosome: '1'}", {}, "needs symbol"),
        ("MATCH (u:User), (t:Task) CREATE (t)-[:RUNS]->(u)", {}, "does not go"),
        ("MATCH (u:User), (t:Task) MERGE (t)-[:RUNS]->(u)", {}, "does not go"),
        ("MATCH (f:File), (t:Task) MERGE (f)-[:OUTPUT]->(t)", {}, "does not go"),
        ("MATCH (u), (t:Task) CREATE (u)-[:RUNS]->(t)", {}, "cannot be seen"),
        ("MATCH (u:User), (i:Institution) CREATE (u)-[:WORKS_AT {since: 2020}]->(i)", {}, "needs role, department"),
        ("MATCH (u:User), (i:Institution) CREATE (u)-[:WORKS_AT {since: '2020', role: 'x', department: 'y'}]->(i)", {},
         "a whole number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_runs(text: str, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(GateRefusal) as refused:
        inspect_change(text, given, tenant_id=TENANT)

    assert refused.value.layer == "tenant"
    assert reason in refused.value.message, refused.value.message
