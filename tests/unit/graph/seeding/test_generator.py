"""The seed data: deterministic, of the schema, believable, and of any size in little memory."""

import tracemalloc
from collections import Counter
from itertools import islice

import pytest

from apps.graph.records import Edge, Node, Record, checked_edge, checked_node
from apps.graph.schema import KINDS, LABEL_NAMES, LABELS, TYPE_NAMES, label_named
from apps.graph.seeding.generator import generate

USERS = 300


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(generate(USERS, seed=1, uid=str))


@pytest.fixture(scope="module")
def nodes(records: list[Record]) -> dict[str, Node]:
    return {one.uid: one for one in records if isinstance(one, Node)}


@pytest.fixture(scope="module")
def edges(records: list[Record]) -> list[Edge]:
    return [one for one in records if isinstance(one, Edge)]


def test_the_same_seed_gives_the_same_records_and_another_others(records: list[Record]) -> None:
    assert list(generate(USERS, seed=1, uid=str)) == records
    assert list(generate(USERS, seed=2, uid=str)) != records


def test_every_record_is_of_the_schema(records: list[Record]) -> None:
    for record in records:
        if isinstance(record, Node):
            assert checked_node(list(record.labels), record.uid, record.properties) == record
        else:
            assert checked_edge(record.type, record.start, record.end, record.properties) == record


def test_every_label_kind_and_type_is_there(nodes: dict[str, Node], edges: list[Edge]) -> None:
    assert {label for node in nodes.values() for label in node.labels} == set(LABEL_NAMES)
    assert {edge.type for edge in edges} == set(TYPE_NAMES)


def test_nodes_come_before_the_relationships_that_name_them(records: list[Record]) -> None:
    seen: set[str] = set()
    for record in records:
        if isinstance(record, Node):
            assert record.uid not in seen
            seen.add(record.uid)
        else:
            assert {record.start, record.end} <= seen


def test_properties_that_may_miss_do_so_sometimes_and_known_values_are_kept_to(nodes: dict[str, Node]) -> None:
    every = [one for label in LABELS for one in (label, *label.kinds)]
    for label in every:
        members = [node for node in nodes.values() if label.label in node.labels]
        for property_ in label_named(label.label).properties:
            values = [node.properties[property_.name] for node in members if property_.name in node.properties]
            assert values, (label.label, property_.name)
            if property_.may_miss:
                assert len(values) < len(members), (label.label, property_.name)
            if property_.values:
                assert set(values) <= set(property_.values), (label.label, property_.name)


def test_few_users_have_many_tasks_and_most_tasks_are_completed(nodes: dict[str, Node], edges: list[Edge]) -> None:
    runs = Counter(edge.start for edge in edges if edge.type == "RUNS")
    tasks = [node for node in nodes.values() if node.label == "Task"]
    completed = sum(task.properties["status"] == "completed" for task in tasks) / len(tasks)
    heaviest = sum(count for _, count in runs.most_common(USERS // 10))

    assert 0.7 < completed < 0.85
    assert heaviest > 0.35 * len(tasks)
    assert len(runs) < USERS


def test_tasks_end_as_their_status_says(nodes: dict[str, Node], edges: list[Edge]) -> None:
    with_output = {edge.start for edge in edges if edge.type == "OUTPUT"}
    for uid, task in nodes.items():
        if task.label == "Task":
            status = task.properties["status"]
            assert (uid in with_output) == (status == "completed")
            assert ("start" in task.properties) == (status != "queued")
            assert ("duration_s" in task.properties) == (status in ("completed", "failed"))


def test_files_are_read_after_they_were_written(nodes: dict[str, Node], edges: list[Edge]) -> None:
    made_at = {edge.end: nodes[edge.start].properties["start"] for edge in edges if edge.type == "OUTPUT"}
    read = [edge for edge in edges if edge.type == "INPUT" and edge.start in made_at]

    late = [edge for edge in read if nodes[edge.end].properties.get("start", "9") <= made_at[edge.start]]

    assert read
    assert not late


def test_a_database_is_searched_by_the_programs_that_can(nodes: dict[str, Node], edges: list[Edge]) -> None:
    for edge in edges:
        file, task = nodes[edge.start], nodes[edge.end]
        if edge.type == "INPUT" and file.kind == "BlastDb":
            is_protein = task.properties["blasttype"] in ("blastp", "blastx")
            assert file.properties["dbtype"] == ("prot" if is_protein else "nucl")


def test_names_and_addresses_are_nobodys(nodes: dict[str, Node]) -> None:
    users = [node.properties for node in nodes.values() if node.label == "User"]

    assert len({user["user_name"] for user in users}) == len(users) == USERS
    assert all(user["email"].endswith("@example.org") for user in users if "email" in user)


@pytest.mark.requirement("graph:seed-streams")
def test_any_size_is_a_stream() -> None:
    tracemalloc.start()

    counted = sum(1 for _ in islice(generate(10_000_000, seed=1, uid=str), 50_000))

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted == 50_000
    assert peak_bytes < 5_000_000
    assert len(KINDS) == 9
