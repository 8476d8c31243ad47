"""etl.import, etl.export and etl.transform: files into the graph, the graph into files, tables into tables."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.files import disk
from apps.files.models import File
from apps.graph.transfer import importing
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.integration.toolbox.moving import GENES, content_of, gene, sent, sow_genes, sow_work, stored
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:etl")
TOOL = {"id": "x", "name": "n", "version": "1", "type": "alignment"}


@pytest.fixture
def engineer(tenant: Any) -> Principal:
    return make_principal(tenant, "data_engineer")


def failed(principal: Principal, name: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    outcome = call(principal, name, arguments, **more)
    assert not outcome.ok, outcome.result
    assert outcome.error is not None
    return outcome.error


def test_a_table_becomes_nodes_and_the_same_table_again_changes_nothing(engineer: Principal) -> None:
    given = {"file_id": sent(engineer, GENES), "format": "csv", "label": "Gene"}

    first = result(engineer, "etl.import", given)
    second = result(engineer, "etl.import", given)

    assert (first["records"], first["nodes_created"], first["bad_lines"]) == (2, 2, [])
    assert (second["nodes_created"], second["nodes_changed"], second["unchanged"]) == (0, 0, 2)
    assert {one["symbol"] for one in stored(engineer, "Gene")} == {"TP53", "BRCA1"}


def test_columns_are_mapped_and_nodes_are_found_again_by_their_key(engineer: Principal) -> None:
    sow_genes(engineer, 2)
    table = "gene,hgnc,label,where,note\ng0,NEW0,gene 0,2,x\ng7,NEW7,gene 7,3,y\n"
    columns = {"gene": "id", "hgnc": "symbol", "label": "name", "where": "chromosome", "note": None}

    done = result(
        engineer,
        "etl.import",
        {"file_id": sent(engineer, table), "format": "csv", "label": "Gene", "columns": columns},
    )

    assert (done["nodes_created"], done["nodes_changed"]) == (1, 1)
    assert {one["id"]: one["symbol"] for one in stored(engineer, "Gene")} == {"g0": "NEW0", "g1": "GENE1", "g7": "NEW7"}


def test_relationships_name_their_ends_by_key(engineer: Principal) -> None:
    sow_work(engineer)
    table = '{"who": "0", "what": "t1"}\n{"who": "9", "what": "t1"}\n'

    done = result(
        engineer,
        "etl.import",
        {
            "file_id": sent(engineer, table),
            "format": "jsonl",
            "rel_type": "RUNS",
            "columns": {"who": "start", "what": "end"},
        },
    )

    assert done["relationships_created"] == 1
    assert [(one["line"], one["reason"]) for one in done["bad_lines"]] == [(2, "RUNS names a User that is not there")]


def test_bad_lines_are_told_with_number_and_reason_and_the_others_are_taken(engineer: Principal) -> None:
    table = f"{GENES}g3,too,few\ng4,S,n,\n,S,n,1\ng5,OK,gene five,5\n"

    done = result(engineer, "etl.import", {"file_id": sent(engineer, table), "format": "csv", "label": "Gene"})

    assert [(one["file"], one["line"]) for one in done["bad_lines"]] == [("table.csv", n) for n in (4, 5, 6)]
    assert [one["reason"] for one in done["bad_lines"]] == [
        "3 cells under 4 headings", "Gene needs chromosome", "id is missing, or no text",
    ]  # fmt: skip
    assert (done["records"], done["nodes_created"]) == (3, 3)


def test_more_bad_lines_than_were_allowed_stop_it(engineer: Principal) -> None:
    table = GENES + "x\n" * 5

    error = failed(
        engineer,
        "etl.import",
        {"file_id": sent(engineer, table), "format": "csv", "label": "Gene", "max_bad_lines": 2},
    )

    assert error["code"] == "graph_transfer_refused"
    assert "line 6" in error["message"]


def test_a_dry_run_reads_everything_and_writes_nothing(engineer: Principal) -> None:
    done = result(
        engineer,
        "etl.import",
        {"file_id": sent(engineer, GENES + "bad\n"), "format": "csv", "label": "Gene", "dry_run": True},
    )

    assert (done["records"], done["nodes_created"], len(done["bad_lines"])) == (2, 0, 1)
    assert stored(engineer, "Gene") == []


@pytest.mark.requirement("security:97")
@pytest.mark.parametrize("format_", ["jsonl", "csv"])
def test_a_file_with_another_tenants_id_is_refused(engineer: Principal, format_: str) -> None:
    theirs = str(make_tenant().id)
    if format_ == "jsonl":
        nodes = [("a", TOOL), ("b", TOOL | {"tenant_id": theirs})]
        lines = [json.dumps({"type": "node", "id": uid, "labels": ["Tool"], "properties": of}) for uid, of in nodes]
        given = {"file_id": sent(engineer, "\n".join(lines)), "format": "jsonl"}
    else:
        table = f"id,symbol,name,chromosome,tenant_id\ng1,S,n,1,{theirs}\n"
        given = {"file_id": sent(engineer, table), "format": "csv", "label": "Gene"}

    error = failed(engineer, "etl.import", given)

    assert "another tenant" in error["message"]
    assert stored(engineer, "Gene") + stored(engineer, "Tool") == []


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [({"format": "xlsx"}, ValidationError), ({"format": "csv", "label": "Gene", "rel_type": "RUNS"}, ValidationError),
     ({"format": "csv", "path": "/etc/passwd"}, ValidationError)],
    ids=["format", "two-targets", "path"],
)  # fmt: skip
def test_what_is_not_asked_rightly_is_refused(engineer: Principal, arguments: dict[str, Any], refusal: Any) -> None:
    with pytest.raises(refusal):
        call(engineer, "etl.import", {"file_id": str(uuid4()), **arguments})


@pytest.mark.parametrize(
    ("content", "arguments", "code", "said"),
    [(GENES, {"format": "csv", "label": "Secret"}, "graph_transfer_refused", "no label 'Secret'"),
     ("id,colour\nx,red\n", {"format": "csv", "label": "Gene"}, "graph_transfer_refused", "table.csv, line 1: "),
     (GENES, {"format": "csv", "label": "Gene", "columns": {"a": "b"}}, "graph_transfer_refused", "Gene has only id, "),
     (GENES, {"format": "csv"}, "zip_refused", "name its label"),
     (GENES, {"format": "jsonl", "columns": {"a": "b"}}, "mapping_without_label", "name its label"),
     ("MATCH (n) DETACH DELETE n;\n", {"format": "cypher", "max_bad_lines": 0}, "graph_transfer_refused", "line 1")],
    ids=["label", "column", "mapped-to-nothing", "no-zip", "mapping", "statement"],
)  # fmt: skip
def test_a_file_that_is_not_what_it_should_be_says_why(
    engineer: Principal, content: str, arguments: dict[str, Any], code: str, said: str
) -> None:
    error = failed(engineer, "etl.import", {"file_id": sent(engineer, content), **arguments})

    assert error["code"] == code
    assert said in error["message"]


@pytest.mark.requirement("security:136")
def test_a_zip_that_is_far_larger_than_it_looks_is_not_unpacked(engineer: Principal, settings: Any) -> None:
    settings.FILES_MAX_BYTES = 50_000
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nodes-Gene.csv", b"x" * 2_000_000)
    strange = io.BytesIO()
    with zipfile.ZipFile(strange, "w") as archive:
        archive.writestr("../nodes-Gene.csv", b"x")

    errors = [
        failed(engineer, "etl.import", {"file_id": sent(engineer, one.getvalue()), "format": "csv"})
        for one in (packed, strange)
    ]

    assert [error["code"] for error in errors] == ["zip_refused"] * 2
    assert "far larger" in errors[0]["message"]


def test_others_files_cannot_be_imported(engineer: Principal, tenant: Any) -> None:
    theirs = sent(make_principal(make_tenant(), "data_engineer"), GENES)
    colleagues = sent(make_principal(tenant, "data_engineer"), GENES)

    for file_id in (theirs, colleagues):
        error = failed(engineer, "etl.import", {"file_id": file_id, "format": "csv", "label": "Gene"})
        assert error["code"] == "file_not_found"


@pytest.mark.parametrize("name", ["etl.import", "etl.export"])
def test_who_may_not_change_the_graph_moves_none_of_it(principal: Principal, name: str) -> None:
    with pytest.raises(ForbiddenError):
        call(principal, name, {"file_id": str(uuid4()), "format": "csv"} if name == "etl.import" else {"format": "csv"})


def test_an_import_that_was_cut_off_goes_on_where_it_was(engineer: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    monkeypatch.setattr(importing, "BATCH", 10)
    lines = "".join(f"{json.dumps(gene(number))}\n" for number in range(45))
    given = {"file_id": sent(engineer, lines[:-2] + "\n"), "format": "jsonl", "label": "Gene"}
    reports: list[str] = []

    def dies(stage: str, message: str, percent: float | None) -> None:
        reports.append(message)
        if len(reports) == 3:
            raise Killed

    with pytest.raises(Killed):
        call(engineer, "etl.import", given, idempotency_key="k", report=dies)
    there = len(stored(engineer, "Gene"))
    done = result(engineer, "etl.import", given, idempotency_key="k", supersedes=True, report=dies)

    assert (there, reports[2:4]) == (30, ["30 records", "40 records"])
    assert (done["records"], done["nodes_created"], [one["line"] for one in done["bad_lines"]]) == (44, 44, [45])
    assert len(stored(engineer, "Gene")) == 44


def test_two_imports_into_one_graph_wait_for_one_another(engineer: Principal) -> None:
    given = {"file_id": sent(engineer, GENES), "format": "csv", "label": "Gene"}
    others: list[dict[str, Any]] = []

    def meanwhile(stage: str, message: str, percent: float | None) -> None:
        others.append(failed(engineer, "etl.import", given))

    done = result(engineer, "etl.import", given, report=meanwhile)

    assert (done["nodes_created"], [error["code"] for error in others]) == (2, ["graph_loading"])
    assert result(engineer, "etl.import", given)["unchanged"] == 2


def test_a_cancelled_import_stops(engineer: Principal) -> None:
    lines = "".join(f"{json.dumps(gene(number))}\n" for number in range(2500))
    given = {"file_id": sent(engineer, lines), "format": "jsonl", "label": "Gene"}
    batches: list[str] = []

    outcome = call(
        engineer,
        "etl.import",
        given,
        report=lambda stage, message, percent: batches.append(message),
        cancelled=lambda: bool(batches),
    )

    assert outcome.error is not None
    assert outcome.error["code"] == "tool_cancelled"
    assert len(batches) == 1


@pytest.mark.parametrize(("format_", "ending"), [("jsonl", "jsonl"), ("csv", "zip"), ("cypher", "cypher")])
def test_what_is_exported_can_be_imported_elsewhere(engineer: Principal, format_: str, ending: str) -> None:
    sow_work(engineer)
    sow_genes(engineer, 3)
    elsewhere = make_principal(make_tenant(), "data_engineer")

    file = result(engineer, "etl.export", {"format": format_})
    content = content_of(engineer, file["file_id"])
    done = result(elsewhere, "etl.import", {"file_id": sent(elsewhere, content), "format": format_})

    assert (file["rows"], file["name"], file["bytes"]) == (9, f"graph.{ending}", len(content))
    assert (done["nodes_created"], done["relationships_created"], done["bad_lines"]) == (7, 2, [])
    assert {one["email"] for one in stored(elsewhere, "User")} == {"ab0@example.org", "ab1@example.org"}


def test_parts_can_be_exported_and_one_csv_comes_as_it_is(engineer: Principal) -> None:
    sow_work(engineer)
    sow_genes(engineer, 3)

    genes = result(engineer, "etl.export", {"format": "csv", "labels": ["Gene"], "name": "genes.csv"})
    runs = result(engineer, "etl.export", {"format": "jsonl", "labels": ["RUNS"]})
    again = result(
        engineer, "etl.import", {"file_id": genes["file_id"], "format": "csv", "label": "Gene", "dry_run": False}
    )

    assert content_of(engineer, genes["file_id"]).decode().splitlines()[0].startswith("uid:ID,:LABEL,id:string")
    assert (genes["rows"], runs["rows"], again["unchanged"]) == (3, 2, 3)
    assert failed(engineer, "etl.export", {"format": "csv", "labels": ["Nope"]})["code"] == "unknown_label"


def test_an_export_that_is_called_again_with_its_key_is_one_file(engineer: Principal) -> None:
    sow_genes(engineer, 1)

    first = result(engineer, "etl.export", {"format": "jsonl"}, idempotency_key="once")
    second = result(engineer, "etl.export", {"format": "jsonl"}, idempotency_key="once")

    assert first == second
    with tenant_scope(engineer.tenant_id):
        assert File.objects.count() == 1


def test_a_table_is_transformed_by_declared_operations(principal: Principal) -> None:
    table = "symbol,length,chromosome\ntp53,25772,17\nbrca1,81189,17\nmyc,5371,8\nbad,x,1\n"
    operations = [
        {"op": "cast", "columns": {"length": "integer"}},
        {"op": "filter", "column": "chromosome", "test": "eq", "value": 17},
        {"op": "derive", "column": "symbol", "how": "upper", "columns": ["symbol"]},
        {"op": "derive", "column": "kb", "how": "quotient", "columns": ["length", "thousand"]},
        {"op": "rename", "columns": {"symbol": "gene"}},
        {"op": "select", "columns": ["gene", "kb"]},
    ]
    operations.insert(3, {"op": "derive", "column": "thousand", "how": "constant", "value": 1000})

    done = result(
        principal,
        "etl.transform",
        {
            "file_id": sent(principal, table),
            "source_format": "csv",
            "target_format": "jsonl",
            "operations": operations,
        },
    )

    lines = content_of(principal, done["file"]["file_id"]).decode().splitlines()
    assert [json.loads(line) for line in lines] == [{"gene": "TP53", "kb": 25.772}, {"gene": "BRCA1", "kb": 81.189}]
    assert (done["rows_read"], done["rows_written"]) == (4, 2)
    assert [(one["line"], one["reason"]) for one in done["bad_lines"]] == [(5, "length is no number: 'x'")]


@pytest.mark.requirement("security:62")
def test_a_csv_runs_nothing_in_a_spreadsheet(principal: Principal) -> None:
    rows = [
        {"a": "=1+1"},
        {"a": "@SUM(A1)"},
        {"a": "+cmd|'/c'!A0"},
        {"a": "-5.2"},
        {"a": -5},
        {"a": "\t=x"},
        {"a": "ok"},
    ]
    table = "".join(json.dumps(row) + "\n" for row in rows)

    done = result(
        principal,
        "etl.transform",
        {"file_id": sent(principal, table), "source_format": "jsonl", "target_format": "csv"},
    )

    cells = content_of(principal, done["file"]["file_id"]).decode().splitlines()
    assert cells == ["a", "'=1+1", "'@SUM(A1)", "'+cmd|'/c'!A0", "-5.2", "-5", "'\t=x", "ok"]


@pytest.mark.parametrize(
    "operation",
    [{"op": "eval", "code": "1"}, {"op": "select"}, {"op": "filter", "column": "a", "test": "regex", "value": "(a+)+"},
     {"op": "derive", "column": "a", "how": "__import__('os')"}],
    ids=["eval", "columns", "regex", "how"],
)  # fmt: skip
def test_no_operation_is_made_up(principal: Principal, operation: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(
            principal,
            "etl.transform",
            {"file_id": str(uuid4()), "source_format": "csv", "target_format": "csv", "operations": [operation]},
        )


def test_a_full_disk_is_told_as_what_it_is_and_leaves_nothing(
    principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(tenant_id: UUID, file_id: UUID) -> Path:
        path = whole(tenant_id, file_id)
        if not (path / "table").is_symlink():
            (path / "table").symlink_to("/dev/full")
        return path

    source, whole = sent(principal, "a\n" + "1\n" * 10_000), disk.work
    monkeypatch.setattr(disk, "work", work)

    error = failed(principal, "etl.transform", {"file_id": source, "source_format": "csv", "target_format": "csv"})

    assert (error["code"], error["http_status"]) == ("disk_full", 507)
    assert [path.name for path in disk.tenant_directory(principal.tenant_id).iterdir()] == [UUID(source).hex]
    with tenant_scope(principal.tenant_id):
        assert File.objects.count() == 1


def test_a_table_that_cannot_be_read_leaves_no_file(principal: Principal) -> None:
    error = failed(
        principal,
        "etl.transform",
        {"file_id": sent(principal, 'a,a\n"1'), "source_format": "csv", "target_format": "csv"},
    )

    assert error["code"] == "table_refused"
    with tenant_scope(principal.tenant_id):
        assert File.objects.count() == 1
