"""The door on the real server: rows, limits, walls, errors."""

import json
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from apps.audit.models import AuditLog
from apps.graph import client, errors
from apps.graph.door import links, loop
from apps.graph.results import Counters, graph_of
from kernel import engine_db
from tests.clients import PATIENCE_S, wait_for
from tests.factories import make_tenant

MINUTES = "UNWIND range(1,3000) AS a UNWIND range(1,3000) AS b UNWIND range(1,50) AS c WITH a*b*c AS x RETURN count(x)"
FAMILY = """
CREATE (u:User {uid: $a, tenant_id: $t, user_name: 'u'})-[r:RUNS {tenant_id: $t}]->
       (k:Task:Blast {uid: $b, tenant_id: $t, task_id: 'k', tags: ['x', 'y']})
"""


@pytest.fixture
def t(tenant: Any) -> str:
    return str(tenant.id)


@pytest.fixture
def family(t: str) -> Iterator[tuple[str, str]]:
    """Uids of a user and of the task that it ran, in the tenant's graph."""
    a, b = uuid4().hex, uuid4().hex
    client.write(FAMILY, {"a": a, "b": b, "t": t}, tenant_id=t)
    yield a, b
    client.write("MATCH (n {tenant_id: $t}) DETACH DELETE n", {"t": t}, tenant_id=t)


@pytest.mark.requirement("graph:read")
def test_nodes_relationships_and_paths_come_ready_for_json(t: str, family: tuple[str, str]) -> None:
    a, b = family

    rows = client.read("MATCH p = (u:User {uid: $a})-[r]->(k) RETURN u, r, k, p", {"a": a}, tenant_id=t)

    user = {"uid": a, "labels": ["User"], "properties": {"user_name": "u"}}
    task = {"uid": b, "labels": ["Blast", "Task"], "properties": {"task_id": "k", "tags": ["x", "y"]}}
    runs = {"uid": None, "type": "RUNS", "start": a, "end": b, "properties": {}}
    assert rows.columns == ("u", "r", "k", "p")
    assert rows.rows == [[user, runs, task, {"nodes": [user, task], "relationships": [runs]}]]
    assert graph_of(rows) == {"nodes": [user, task], "edges": [runs]}
    assert t not in json.dumps(rows.rows)


def test_a_relationship_alone_names_its_ends(t: str, family: tuple[str, str]) -> None:
    a, b = family

    rows = client.read("MATCH (:User {uid: $a})-[r]->() RETURN r", {"a": a}, tenant_id=t)

    assert (rows.rows[0][0]["start"], rows.rows[0][0]["end"]) == (a, b)
    assert {node["uid"] for node in graph_of(rows)["nodes"]} == {a, b}


def test_values_of_every_kind_are_jsons(t: str) -> None:
    text = """RETURN 1 AS whole, 1.5 AS decimal, true AS yes, null AS nothing, 'ö' AS text, [1, [2]] AS list,
        {a: {b: 1}} AS map, date('2024-05-31') AS day, datetime('2024-05-31T08:00:00Z') AS time, 0.0/0.0 AS nan"""

    rows = client.read(text, {}, tenant_id=t)

    record = rows.as_records()[0]
    assert json.loads(json.dumps(record)) == record
    assert record["day"] == "2024-05-31"
    assert record["time"].startswith("2024-05-31T08:00:00")
    assert record["nan"] == "NaN"
    assert record["map"] == {"a": {"b": 1}}


@pytest.mark.requirement("graph:rows")
def test_no_more_rows_are_fetched_than_asked_for(t: str) -> None:
    endless = "UNWIND range(1,3000) AS a UNWIND range(1,3000) AS b UNWIND range(1,3000) AS c RETURN a, b, c"

    rows = client.read(endless, {}, tenant_id=t, row_limit=10, timeout_s=PATIENCE_S)

    assert (len(rows.rows), rows.truncated) == (10, True)
    assert rows.elapsed_ms < PATIENCE_S * 1000 / 3
    assert not running(t)


def test_exactly_as_many_rows_as_asked_for_are_all(t: str) -> None:
    rows = client.read("UNWIND range(1,10) AS a RETURN a", {}, tenant_id=t, row_limit=10)

    assert (len(rows.rows), rows.truncated) == (10, False)


def test_bytes_are_bounded(t: str, settings: Any) -> None:
    settings.GRAPH_ANSWER_BYTES = 10_000

    rows = client.read("UNWIND range(1,1000) AS a RETURN $text", {"text": "x" * 1000}, tenant_id=t)

    assert (len(rows.rows), rows.truncated) == (10, True)


@pytest.mark.requirement("graph:timeout")
def test_a_query_of_minutes_is_ended_on_the_server(t: str) -> None:
    with pytest.raises(errors.QueryTimeoutError) as raised:
        client.read(MINUTES, {}, tenant_id=t, timeout_s=0.5)

    assert raised.value.code == "graph_timeout"
    assert not running(t)


@pytest.mark.requirement("graph:cancel")
def test_a_query_that_nobody_wants_is_ended_on_the_server(t: str) -> None:
    wanted = threading.Event()
    wanted.set()
    threading.Timer(0.3, wanted.clear).start()

    with pytest.raises(errors.QueryCancelledError):
        client.read(MINUTES, {}, tenant_id=t, timeout_s=30, cancelled=lambda: not wanted.is_set())

    assert not running(t)


@pytest.mark.requirement("graph:read-only")
@pytest.mark.parametrize(
    "text",
    [
        "CREATE (n:Gene {uid: 'x'}) RETURN 1",
        "MATCH (n:User {uid: $a}) SET n.user_name = 'other' RETURN 1",
        "MATCH (n:User {uid: $a}) DETACH DELETE n RETURN 1",
        "MERGE (n:Gene {uid: 'x'}) RETURN 1",
        "CREATE INDEX sneaky IF NOT EXISTS FOR (n:Pathway) ON (n.sneaky)",
    ],
)
def test_the_reading_way_changes_nothing(t: str, family: tuple[str, str], text: str) -> None:
    with pytest.raises(errors.WriteForbiddenError):
        client.read(text, {"a": family[0]}, tenant_id=t)

    found = client.read("MATCH (n:User {uid: $a}) RETURN n.user_name", {"a": family[0]}, tenant_id=t)
    assert found.rows == [["u"]]


@pytest.mark.requirement("graph:tenant-wall")
@pytest.mark.parametrize(
    "text",
    [
        "MATCH (n:User {uid: $a}) RETURN n",
        "MATCH (:User {uid: $a})-[r]->() RETURN r",
        "MATCH p = (:User {uid: $a})-->() RETURN p",
        "MATCH (n:User {uid: $a}) RETURN [1, {deep: [n]}] AS hidden",
        "MATCH (n:User {uid: $a}) RETURN properties(n) AS bare",
    ],
)
def test_what_is_another_tenants_is_thrown_away(t: str, family: tuple[str, str], text: str) -> None:
    with pytest.raises(errors.ResultRefusedError) as raised:
        client.read(text, {"a": family[0]}, tenant_id=uuid4())

    assert family[0] not in raised.value.detail and t not in raised.value.detail


@pytest.mark.requirement("graph:wall-audited")
def test_an_answer_that_was_thrown_away_is_audited_and_counted(family: tuple[str, str]) -> None:
    stranger, before = make_tenant(), refused_so_far()

    with pytest.raises(errors.ResultRefusedError):
        client.read("MATCH (n:User {uid: $a}) RETURN n", {"a": family[0]}, tenant_id=stranger.id)

    rows = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=stranger.id, action="graph.result_refused")
    wait_for(rows.exists, what="the audit row")
    assert rows.get().details["cypher"].startswith("MATCH (n:User")
    assert refused_so_far() == before + 1


def refused_so_far() -> float:
    return REGISTRY.get_sample_value("graph_results_refused_total") or 0.0


def test_what_is_nobodys_is_thrown_away(t: str) -> None:
    uid = uuid4().hex
    client.write("CREATE (n:Gene {uid: $u}) RETURN 1", {"u": uid}, tenant_id=t)

    with pytest.raises(errors.ResultRefusedError):
        client.read("MATCH (n:Gene {uid: $u}) RETURN n", {"u": uid}, tenant_id=t)

    client.write("MATCH (n:Gene {uid: $u}) DELETE n", {"u": uid}, tenant_id=t)


@pytest.mark.requirement("graph:errors")
@pytest.mark.parametrize(
    ("text", "parameters", "error"),
    [
        ("MATCH (n RETURN n", {}, errors.QueryInvalidError),
        ("RETURN secretName", {}, errors.QueryInvalidError),
        ("RETURN nosuch(1)", {}, errors.QueryInvalidError),
        ("RETURN $missing", {}, errors.QueryInvalidError),
        ("CALL no.such()", {}, errors.QueryInvalidError),
        ("RETURN $n", {"n": 2**70}, errors.QueryInvalidError),
        ("RETURN 1/0", {}, errors.QueryFailedError),
        ("RETURN 1 + {secretName: 1}", {}, errors.QueryFailedError),
        ("WITH 'a' AS s RETURN s.secretName", {}, errors.QueryFailedError),
        ("UNWIND range(1,1500000) AS x RETURN collect(x + 'aaaaaaaaaaaaaaaaaaaaaaaa')", {}, errors.QueryTooLargeError),
    ],
)
def test_errors_say_nothing_of_the_inside(t: str, text: str, parameters: dict[str, Any], error: type) -> None:
    with pytest.raises(error) as raised:
        client.read(text, parameters, tenant_id=t)

    assert "secretName" not in raised.value.detail
    assert raised.value.__cause__ is None and raised.value.__suppress_context__


@pytest.mark.requirement("graph:explain")
def test_explaining_runs_nothing(t: str) -> None:
    plan = client.explain("MATCH (n:Task) WHERE n.uid = $u RETURN n", {"u": "x"})
    asked_of_a_change = client.explain(MINUTES, {})

    assert plan.engine == "arcadedb"
    assert "MATCH" in plan.text or "Seek" in plan.text
    assert asked_of_a_change.text


@pytest.mark.requirement("graph:write")
def test_a_change_can_be_tried_without_being_made(t: str, family: tuple[str, str]) -> None:
    text = "MATCH (n:Task {uid: $b}) SET n.status = 'failed' DETACH DELETE n"

    tried = client.write(text, {"b": family[1]}, tenant_id=t, commit=False)

    found = client.read("MATCH (n:Task {uid: $b}) RETURN n.status", {"b": family[1]}, tenant_id=t)
    assert tried.counters.nodes_deleted == 1
    assert found.rows == [[None]]


def test_a_change_tells_what_it_did(t: str) -> None:
    uid = uuid4().hex

    made = client.write("CREATE (n:Gene {uid: $u, tenant_id: $t}) RETURN n", {"u": uid, "t": t}, tenant_id=t)
    gone = client.write("MATCH (n:Gene {uid: $u}) DELETE n", {"u": uid}, tenant_id=t)

    assert made.counters.nodes_created == 1
    assert made.rows.rows == [[{"uid": uid, "labels": ["Gene"], "properties": {}}]]
    assert gone.counters == Counters(nodes_deleted=1)


@pytest.mark.requirement("graph:races")
def test_racing_changes_make_a_node_once_and_lose_nothing(t: str) -> None:
    uid, each = uuid4().hex, 10

    def count() -> None:
        for _ in range(each):
            client.write(
                "MERGE (n:Gene {uid: $u}) ON CREATE SET n.tenant_id = $t, n.hits = 1 ON MATCH SET n.hits = n.hits + 1",
                {"u": uid, "t": t},
                tenant_id=t,
                timeout_s=30,
            )

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = client.read("MATCH (n:Gene {uid: $u}) RETURN n.hits", {"u": uid}, tenant_id=t)
    client.write("MATCH (n:Gene {uid: $u}) DELETE n", {"u": uid}, tenant_id=t)
    assert found.rows == [[4 * each]]


def running(t: str) -> list[Any]:
    """Queries on the server with our mark."""
    shown = client.read("SHOW TRANSACTIONS", {}, tenant_id=t)
    return [row for row in shown.as_records() if "mark:" in row["currentQuery"] and "SHOW" not in row["currentQuery"]]


def test_a_limit_of_one_row_more_keeps_the_connection(t: str) -> None:
    opened = connections_opened()

    truncated = [client.read("UNWIND range(1,11) AS a RETURN a", {}, tenant_id=t, row_limit=10) for _ in range(5)]

    assert all(rows.truncated and len(rows.rows) == 10 for rows in truncated)
    assert connections_opened() == opened


def connections_opened() -> set[str]:
    """The connections that the server has had from readers lately, by what it calls them."""
    shown = client.read("SHOW TRANSACTIONS", {}, tenant_id="nobody").as_records()
    return {row["connectionId"] for row in shown}


def test_what_stands_in_many_rows_counts_in_each(t: str, settings: Any) -> None:
    uid, settings.GRAPH_ANSWER_BYTES = uuid4().hex, 20_000
    text = "CREATE (n:Tool {uid: $u, tenant_id: $t, name: $name})"
    client.write(text, {"u": uid, "t": t, "name": "x" * 5000}, tenant_id=t)

    rows = client.read("MATCH (n:Tool {uid: $u}) UNWIND range(1, 100) AS i RETURN n", {"u": uid}, tenant_id=t)

    assert rows.truncated
    assert len(rows.rows) < 10


def test_one_row_that_is_too_large_is_refused(t: str, settings: Any) -> None:
    settings.GRAPH_ANSWER_BYTES = 1000

    with pytest.raises(errors.QueryTooLargeError):
        client.read("UNWIND range(1, 1000) AS i RETURN collect($text)", {"text": "x" * 100}, tenant_id=t)


def test_a_crowd_that_comes_first_connects_once(t: str) -> None:
    forget_links()
    readers = [threading.Thread(target=client.read, args=("RETURN 1", {}), kwargs={"tenant_id": t}) for _ in range(8)]

    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()

    assert not links._connecting
    assert len(links._links) == 1
    assert client.read("RETURN 1", {}, tenant_id=t).rows == [[1]]


def forget_links() -> None:
    """As at the start of a process: the next call connects."""

    async def forget() -> None:
        links.forget()

    loop.submit(forget()).result(timeout=PATIENCE_S)
