"""What is written reads back the same, whatever is in it; what no export writes is refused with a reason."""

import csv
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.graph.records import Edge, Node, Record, RecordError, checked_edge, checked_node
from apps.graph.transfer.choice import FORMATS
from apps.graph.transfer.formats import Format, Raw, RawNode
from apps.graph.transfer.sections import BY_NAME, section_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12) | st.sampled_from(
    [
        "",
        "\\",
        "\\[]",
        "=1+1",
        "+",
        "-5",
        "@x",
        "'",
        '"',
        ";",
        "a;b",
        "\\;",
        "\n",
        "\r\n",
        "\u2028",
        ",",
        "null",
        "'); ",
    ]
)
UIDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8)
TASKS = st.builds(
    lambda uid, id_, tags, seconds: Node(
        "Task",
        uid,
        {"task_id": id_, "status": "completed", "blast_version": "2.15.0", "blasttype": "blastn"}
        | ({} if tags is None else {"tags": tags})
        | ({} if seconds is None else {"duration_s": seconds, "evalue": seconds / 7}),
        "Blast",
    ),
    UIDS,
    TEXTS,
    st.none() | st.lists(TEXTS, max_size=4),
    st.none() | st.integers(-(2**62), 2**62),
)
WORKS = st.builds(
    lambda start, end, since, role: Edge("WORKS_AT", start, end, {"since": since, "role": role, "department": "x"}),
    UIDS,
    UIDS,
    st.integers(0, 3000),
    TEXTS,
)


def read_back(format_: Format, text: str, records: list[Record]) -> list[Record]:
    raws = format_.read(_keeping_ends(text), section_of(records[0]), "")
    return [_checked(raw) for raw in raws if raw is not None]


def _keeping_ends(text: str) -> Iterator[str]:
    """Lines as a file opened in binary gives them: ended by line feeds alone."""
    parts = text.split("\n")
    yield from (part + "\n" for part in parts[:-1])
    if parts[-1]:
        yield parts[-1]


def _checked(raw: Raw) -> Record:
    if isinstance(raw, RawNode):
        return checked_node(raw.labels, raw.uid, raw.properties)
    return checked_edge(raw.type, raw.start, raw.end, raw.properties)


@pytest.mark.requirement("graph:transfer-exact")
@pytest.mark.parametrize("name", sorted(FORMATS))
@settings(deadline=None, max_examples=60)
@given(records=st.lists(TASKS, min_size=1, max_size=4) | st.lists(WORKS, min_size=1, max_size=4))
def test_what_is_written_reads_back_the_same(name: str, records: list[Record]) -> None:
    format_, section = FORMATS[name], section_of(records[0])

    text = format_.head(section) + "".join(format_.line(section, record) for record in records)

    assert read_back(format_, text, records) == records


def test_csv_cells_are_no_formulas() -> None:
    format_ = FORMATS["csv"]
    node = Node("Tool", "u", {"id": "=cmd|' /C calc'!A0", "name": "@SUM(A1)", "version": "-1", "type": "+1"})

    line = format_.line(BY_NAME["Tool"], node)

    cells = next(csv.reader([line]))
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[1]",
        "[" * 100_000,
        '{"type": "edge"}',
        '{"type": "node", "id": "a", "labels": "Task"}',
        '{"type": "node", "id": "a", "labels": ["Task"], "properties": []}',
        '{"type": "node", "id": "a", "labels": ["Result"], "properties": {"score": NaN}}',
        '{"type": "relationship", "label": "RUNS", "start": "a", "end": {"id": "b"}}',
    ],
)
def test_json_that_is_no_record_is_refused(line: str) -> None:
    with pytest.raises(RecordError):
        list(FORMATS["jsonl"].read(iter([line]), None, ""))


@pytest.mark.requirement("graph:import-cypher-runs-nothing")
@pytest.mark.parametrize(
    "line",
    [
        "MATCH (n) DETACH DELETE n;",
        "CREATE (:Task {uid: 'a'}), (:Task {uid: 'b'});",
        "CREATE (:Task {uid: 'a'})-[:OUTPUT]->(:File {uid: 'b'});",
        "CREATE (:Task {uid: 'a', status: $status});",
        "CREATE (:Task {uid: 'a' + 'b'});",
        "CREATE (:Task {uid: 'a'}) RETURN 1;",
        "MATCH (a:User {uid: 'x'}), (b:Task {uid: 'y'}) CREATE (b)-[:RUNS]->(a);",
        "MATCH (a:User {uid: 'x'}), (b:Task {uid: 'y'}) WHERE true CREATE (a)-[:RUNS]->(b);",
        "MATCH (a:User {uid: 'x'}), (b:Task {uid: 'y'}) CREATE (a)<-[:RUNS]-(b);",
        "MERGE (:Task {uid: 'a'});",
        "LOAD CSV FROM 'file:///etc/passwd' AS row CREATE (:Task {uid: row[0]});",
        "CALL mg.load_all();",
        "CREATE (:Task {uid: 'a'}); MATCH (n) DETACH DELETE n;",
    ],
)
def test_statements_that_do_anything_else_are_refused(line: str) -> None:
    with pytest.raises(RecordError):
        list(FORMATS["cypher"].read(iter([line]), None, ""))


@pytest.mark.parametrize(
    "text",
    [
        "uid:ID,id:string\nu,x\n",
        "uid:ID,:LABEL,id:string,id:string\n",
        "uid:ID,:LABEL,id:string\nu,Tool\n",
        'uid:ID,:LABEL,id:string\nu,Tool,"x"y\n',
        "uid:ID,:LABEL,nothing:string\nu,Tool,x\n",
    ],
)
def test_tables_that_do_not_fit_are_refused(text: str) -> None:
    with pytest.raises(RecordError):
        list(FORMATS["csv"].read(_keeping_ends(text), BY_NAME["Tool"], ""))


@pytest.mark.parametrize(
    ("labels", "uid", "properties", "says"),
    [
        (["Secret"], "u", {}, "not a label"),
        (["Task", "File"], "u", {}, "not the labels of one node"),
        (["File", "Blast"], "u", {}, "not the labels of one node"),
        (["Tool"], "u", {"id": "x", "name": "n", "version": "1"}, "needs type"),
        (["Tool"], "u", {"id": "x", "name": "n", "version": "1", "type": "t", "more": 1}, "no property"),
        (["Tool"], "u", {"id": 7, "name": "n", "version": "1", "type": "t"}, "id is a text"),
        (["Tool"], "u", {"id": "x", "name": "n", "version": "1", "type": "t", "tenant_id": "t"}, "platform's to set"),
        (["Tool"], "", {"id": "x", "name": "n", "version": "1", "type": "t"}, "1 to 200 characters"),
        (["Tool"], "u", {"id": "x\x00", "name": "n", "version": "1", "type": "t"}, "NUL"),
        (["Tool"], "u", {"id": "x" * 100_001, "name": "n", "version": "1", "type": "t"}, "longer than"),
    ],
)
def test_records_that_the_schema_does_not_know_are_refused(
    labels: list[str], uid: str, properties: dict[str, Any], says: str
) -> None:
    with pytest.raises(RecordError, match=says):
        checked_node(labels, uid, properties)
