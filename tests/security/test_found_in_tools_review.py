"""What an attacker found in the tools that move data: disk and memory beyond their bounds, and tools that broke."""

import io
import json
import socket
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest
from django.core.wsgi import get_wsgi_application
from django.db.models import Sum

from apps.files import arriving, disk, tables, transforms, zips
from apps.files.models import READY, File
from apps.graph.transfer import importing
from apps.identity.principal import Principal
from apps.toolbox import etl
from kernel import csv_records
from kernel.errors import RequestTimeoutError
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S, Api, wait_for
from tests.factories import make_principal, make_token
from tests.integration.toolbox.moving import GENES, content_of, sent
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:found-in-review")
GENE_HEADINGS = b"uid:ID,:LABEL,id:string,symbol:string,name:string,chromosome:string\n"


@pytest.fixture
def engineer(tenant: Any) -> Principal:
    return make_principal(tenant, "data_engineer")


def failed(principal: Principal, name: str, arguments: dict[str, Any], **more: Any) -> dict[str, Any]:
    outcome = call(principal, name, arguments, **more)
    assert not outcome.ok, outcome.result
    assert outcome.error is not None
    return outcome.error


def transform(file_id: str, operations: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    return {"file_id": file_id, "source_format": "jsonl", "target_format": "jsonl", "operations": operations or [],
            **more}  # fmt: skip


def on_disk(principal: Principal) -> list[Path]:
    """What lies in the tenant's directory beside whole files, and the lock of imports."""
    home = disk.tenant_directory(principal.tenant_id)
    return [path for path in home.iterdir() if "." in path.name and not path.name.startswith("loading")]


def bytes_on_disk(principal: Principal) -> int:
    return sum(path.stat().st_size for path in disk.tenant_directory(principal.tenant_id).rglob("*") if path.is_file())


def unfinished(principal: Principal) -> int:
    with tenant_scope(principal.tenant_id):
        return File.objects.exclude(state=READY).count()


def counted(principal: Principal) -> int:
    with tenant_scope(principal.tenant_id):
        return int(File.objects.aggregate(bytes=Sum("size_bytes"))["bytes"] or 0)


def let_have(settings: Any, size_bytes: int) -> None:
    settings.FILES_TENANT_BYTES = size_bytes


def zipped(content: bytes, compression: int = zipfile.ZIP_DEFLATED, name: str = "nodes-Gene.csv") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        archive.writestr(name, content)
    return packed.getvalue()


@pytest.mark.requirement("security:136")
def test_a_table_that_grows_stops_at_the_quota_and_leaves_nothing(
    principal: Principal, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_have(settings, 300_000)
    most_seen: list[tuple[int, int]] = []
    put = tables.Writer._put

    def seen(self: Any, text: str) -> None:
        put(self, text)
        self._file.flush()
        most_seen.append((bytes_on_disk(principal), counted(principal)))

    monkeypatch.setattr(tables.Writer, "_put", seen)
    rows = (json.dumps({"a": "x" * 100}) + "\n") * 60
    grows = [{"op": "derive", "column": "b", "how": "concat", "columns": ["a"] * 50},
             *({"op": "derive", "column": f"d{n}", "how": "first", "columns": ["b"]} for n in range(4))]  # fmt: skip

    error = failed(principal, "etl.transform", transform(sent(principal, rows), grows))

    assert error["code"] == "storage_full"
    assert most_seen
    assert all(there <= room <= 300_000 for there, room in most_seen)
    assert (on_disk(principal), unfinished(principal), counted(principal)) == ([], 0, len(rows))


def test_a_row_is_bounded_before_it_is_made(principal: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_BYTES_MAX", 10_000)
    monkeypatch.setattr(transforms, "ROW_CHARS_MAX", 5_000)
    rows = json.dumps({"a": "x" * 1000, "n": ["y" * 1000]}) + "\n"
    texts = [{"op": "derive", "column": f"d{n}", "how": "first", "columns": ["a"]} for n in range(20)]
    lists = [{"op": "derive", "column": f"d{n}", "how": "first", "columns": ["n"]} for n in range(20)]
    cast = [*lists, {"op": "cast", "columns": {f"d{n}": "text" for n in range(20)}}]
    file_id = sent(principal, rows)

    done = [result(principal, "etl.transform", transform(file_id, one)) for one in (texts, lists, cast)]

    assert [one["rows_written"] for one in done] == [0, 0, 0]
    assert [one["bad_lines"][0]["reason"] for one in done] == [
        "the row would have more than 5,000 characters",
        "it would be larger than 10,000 bytes",
        "the row would have more than 5,000 characters",
    ]


def test_a_transform_looks_whether_it_is_wanted_by_bytes_too(
    principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(etl, "BYTES_BETWEEN_LOOKS", 1000)
    told: list[str] = []

    outcome = call(
        principal,
        "etl.transform",
        transform(sent(principal, (json.dumps({"a": "x" * 600}) + "\n") * 20)),
        report=lambda stage, message, percent: told.append(message),
        cancelled=lambda: len(told) == 2,
    )

    assert outcome.error is not None
    assert (outcome.error["code"], told) == ("tool_cancelled", ["1 rows", "2 rows"])
    assert (on_disk(principal), unfinished(principal)) == ([], 0)


@pytest.mark.parametrize(
    ("line", "operations", "target", "reason"),
    [('{"a":"\\ud800"}', [], "jsonl", "half a character"), ('{"a":"\\ud800"}', [], "csv", "half a character"),
     ('{"\\ud800":1}', [], "csv", "half a character"), ('{"a":NaN}', [], "jsonl", "JSON does not have"),
     ('{"a":Infinity}', [{"op": "cast", "columns": {"a": "integer"}}], "jsonl", "beyond what a number may be"),
     ('{"a":1e999}', [{"op": "cast", "columns": {"a": "integer"}}], "csv", "beyond what a number may be"),
     ('{"a":NaN}', [{"op": "cast", "columns": {"a": "integer"}}], "jsonl", "beyond what a number may be"),
     ('{"a":1' + "0" * 400 + "}", [{"op": "cast", "columns": {"a": "decimal"}}], "jsonl", "beyond what a number may")],
    ids=["surrogate", "surrogate-csv", "surrogate-heading", "nan", "infinity", "1e999", "nan-cast", "10-400"],
)  # fmt: skip
def test_what_cannot_be_written_is_a_bad_line_and_no_broken_tool(
    principal: Principal, line: str, operations: list[dict[str, Any]], target: str, reason: str
) -> None:
    given = transform(sent(principal, line + '\n{"a":7}\n'), operations, target_format=target)

    done = result(principal, "etl.transform", given)

    (bad,) = done["bad_lines"]
    assert (bad["line"], reason in bad["reason"]) == (1, True), bad
    text = content_of(principal, done["file"]["file_id"]).decode()
    assert text in ('{"a":7}\n', '{"a":7.0}\n', "a\r\n7\r\n")


@pytest.mark.parametrize(
    ("record", "says"),
    [('"' + '\nx","' * 400 + '"', "longer than 1,000 characters"), ("x," * 50, "more than 20 cells"),
     ('"\n"' + ",x" * 50, "more than 20 cells")],
    ids=["line-breaks", "cells", "cells-on-two-lines"],
)  # fmt: skip
def test_a_csv_record_is_bounded_however_many_lines_it_takes(
    engineer: Principal, monkeypatch: pytest.MonkeyPatch, record: str, says: str
) -> None:
    monkeypatch.setattr(csv_records, "RECORD_CHARS_MAX", 1000)
    monkeypatch.setattr(csv_records, "CELLS_MAX", 20)
    table = sent(engineer, f"{GENES}{record}\n")
    graphs = sent(engineer, zipped(GENE_HEADINGS + b"u,Gene,g1,S,n,1\n" + record.encode() + b"\n"))

    errors = [
        failed(engineer, "etl.transform", transform(table, source_format="csv")),
        failed(engineer, "etl.import", {"file_id": table, "format": "csv", "label": "Gene"}),
        failed(engineer, "etl.import", {"file_id": graphs, "format": "csv"}),
    ]

    assert [error["code"] for error in errors] == ["table_refused", *["graph_transfer_refused"] * 2]
    assert all(says in error["message"] and "line " in error["message"] for error in errors), errors
    assert (on_disk(engineer), unfinished(engineer)) == ([], 0)


@pytest.mark.parametrize("name", ["etl.transform", "etl.import"])
def test_lines_without_a_row_are_looked_up_from_too(
    engineer: Principal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tables, "LOOK_LINES", 10)
    monkeypatch.setattr(importing, "LOOK_LINES", 10)
    asked: list[bool] = []
    file_id = sent(engineer, GENES + "\n" * 1000)
    of_import = {"file_id": file_id, "format": "csv", "label": "Gene", "dry_run": True}
    given = transform(file_id, source_format="csv") if name == "etl.transform" else of_import

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) > 20

    outcome = call(engineer, name, given, cancelled=cancelled)

    assert outcome.error is not None
    assert outcome.error["code"] == "tool_cancelled"
    assert 21 <= len(asked) < 40  # of a hundred; whoever watches the call asks too


def test_what_an_import_unpacks_counts_and_goes_when_it_fails(
    engineer: Principal, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = GENE_HEADINGS + b"bad\n" * 50_000
    file_id = sent(engineer, zipped(content))
    seen: list[tuple[int, int]] = []
    read = importing._Import.run

    def run(self: Any) -> Any:
        seen.append((bytes_on_disk(engineer), counted(engineer)))
        return read(self)

    monkeypatch.setattr(importing._Import, "run", run)
    given = {"file_id": file_id, "format": "csv", "max_bad_lines": 0}

    refused = failed(engineer, "etl.import", given)
    let_have(settings, len(content))
    full = failed(engineer, "etl.import", given)

    assert refused["code"] == "graph_transfer_refused"
    (there, room) = seen[0]
    assert len(content) < there <= room
    assert (full["code"], len(seen)) == ("storage_full", 1)
    assert (on_disk(engineer), unfinished(engineer)) == ([], 0)


def test_what_a_lost_worker_unpacked_counts_until_another_goes_on(
    engineer: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(stage: str, message: str, percent: float | None) -> None:
        raise Killed

    monkeypatch.setattr(importing, "BATCH", 10)
    lines = "".join(f"u{n},Gene,g{n},S{n},n,1\n" for n in range(15)).encode()
    given = {"file_id": sent(engineer, zipped(GENE_HEADINGS + lines)), "format": "csv"}

    with pytest.raises(Killed):
        call(engineer, "etl.import", given, idempotency_key="k", report=dies)
    left = (len(on_disk(engineer)), unfinished(engineer), counted(engineer) > len(lines))
    done = result(engineer, "etl.import", given, idempotency_key="k", supersedes=True)

    assert left == (1, 1, True)
    assert (done["records"], done["nodes_created"]) == (15, 15)
    assert (on_disk(engineer), unfinished(engineer)) == ([], 0)


@pytest.mark.requirement("security:136")
def test_padding_makes_no_zip_look_larger(engineer: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "UNPACKED_ANYWAY", 0)
    bomb = zipped(b"\n" * 2_000_000)

    error = failed(engineer, "etl.import", {"file_id": sent(engineer, b"\0" * 50_000 + bomb), "format": "csv"})

    assert error["code"] == "zip_refused"
    assert "far larger" in error["message"]
    assert (on_disk(engineer), unfinished(engineer)) == ([], 0)


@pytest.mark.parametrize(
    "compression",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
    ids=["stored", "deflate", "bzip2", "lzma"],
)
def test_a_zip_that_is_broken_inside_is_refused(engineer: Principal, compression: int) -> None:
    broken = bytearray(zipped(b"uid:ID,:LABEL\n" + bytes(range(256)) * 40, compression))
    begins = 30 + len("nodes-Gene.csv")
    for at in range(begins + 8, begins + 40):
        broken[at] ^= 0x5A

    error = failed(engineer, "etl.import", {"file_id": sent(engineer, bytes(broken)), "format": "csv"})

    assert error["code"] == "zip_refused"
    assert (on_disk(engineer), unfinished(engineer)) == ([], 0)


def test_a_zip_whose_names_are_no_text_is_refused(engineer: Principal) -> None:
    strange = zipped(b"x", name="ä.csv").replace("ä".encode(), b"\xff\xfe")

    error = failed(engineer, "etl.import", {"file_id": sent(engineer, strange), "format": "csv"})

    assert error["code"] == "zip_refused"


def test_a_time_of_any_zone_is_one_that_the_database_knows(tenant: Any) -> None:
    curator = make_principal(tenant, "curator")

    done = result(
        curator, "data.archive", {"action": "purge", "label": "Task", "timestamp_before": "2026-01-01T00:00:00-23:59"}
    )

    assert done["nodes"] == 0


@pytest.mark.requirement("tools:files")
def test_one_callers_uploads_that_never_end_keep_nobody_else_out(api_url: str, tenant: Any) -> None:
    address, token = urlsplit(api_url), make_token(tenant, sub="slow")
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    )
    home = disk.tenant_directory(tenant.id)
    slow, other = Api(api_url, token), Api(api_url, make_token(tenant, sub="other"))

    with ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S))
            client.sendall(head.encode())
        wait_for(lambda: len(list(home.glob("*.part"))) == 4, what="four on their way")
        fifth = slow.request("POST", "/v1/files", b"a", Content_Type="text/csv")
        others = other.request("POST", "/v1/files", b"a", Content_Type="text/csv")

    assert (fifth.status, fifth.json["code"], fifth.headers["retry-after"]) == (429, "uploads_busy", "5")
    assert others.status == 201
    wait_for(
        lambda: slow.request("POST", "/v1/files", b"a", Content_Type="text/csv").status == 201,
        what="places given back",
    )


def test_an_upload_comes_at_a_pace_once_its_grace_is_over(settings: Any) -> None:
    settings.FILES_GRACE_S, settings.FILES_BYTES_PER_S_MIN = 30.0, 100

    def taken(size: int, every_s: float) -> int:
        now = iter(every_s * number for number in range(100))
        got = 0
        try:
            for piece in arriving.paced(iter([b"x" * size] * 20), lambda: next(now)):
                got += len(piece)
        except RequestTimeoutError as error:
            assert error.http_status == 408
        return got

    assert [taken(1, 12.0), taken(1200, 12.0), taken(1, 1.0), taken(1199, 12.0)] == [2, 24_000, 20, 2 * 1199]


def test_a_body_that_drips_ends_with_408_and_leaves_nothing(tenant: Any, principal: Principal, settings: Any) -> None:
    settings.FILES_GRACE_S, settings.FILES_BYTES_PER_S_MIN = 0.0, 1 << 40
    told: list[str] = []

    class Drips(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return b"a"

    asked: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/v1/files", "HTTP_HOST": "127.0.0.1", "wsgi.input": Drips(),
        "HTTP_AUTHORIZATION": f"Bearer {make_token(tenant, sub=principal.sub)}", "HTTP_TRANSFER_ENCODING": "chunked",
    }  # fmt: skip
    setup_testing_defaults(asked)
    answer: Any = get_wsgi_application()(asked, lambda status, headers: told.append(status))
    body = json.loads(b"".join(answer))
    answer.close()

    assert (told[0][:3], body["code"]) == ("408", "request_timeout")
    assert (on_disk(principal), unfinished(principal)) == ([], 0)
