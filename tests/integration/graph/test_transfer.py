"""Import and export on the real server: the same graph comes back, whatever happens in between."""

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from apps.graph import client, loading
from apps.graph.errors import TransferRefusedError
from apps.graph.loading import Loaded
from apps.graph.records import Edge, Node, Record
from apps.graph.seeding.generator import generate
from apps.graph.seeding.sowing import sow
from apps.graph.transfer.choice import FORMATS, format_for
from apps.graph.transfer.exporting import export_graph
from apps.graph.transfer.importing import import_graph
from apps.graph.transfer.sections import section_of
from apps.graph.uids import uid_for
from tests.clients import wait_for
from tests.factories import make_tenant

JSONL = FORMATS["jsonl"]


def exported(tenant_id: UUID, path: Path) -> list[str]:
    export_graph(tenant_id, path, JSONL)
    return path.read_text().splitlines()


def lines_of(records: list[Record]) -> str:
    return "".join(JSONL.line(section_of(record), record) for record in records)


def under_own_uids(lines: list[str], tenant_id: UUID) -> set[str]:
    """What an import makes of the lines of another tenant's export."""

    def own(uid: str) -> str:
        return uid_for(tenant_id, f"import {uid}")

    changed = []
    for line in map(json.loads, lines):
        if line["type"] == "node":
            line["id"] = own(line["id"])
        else:
            line["start"]["id"], line["end"]["id"] = own(line["start"]["id"]), own(line["end"]["id"])
        changed.append(json.dumps(line, sort_keys=True))
    return set(changed)


def sorted_keys(lines: list[str]) -> set[str]:
    return {json.dumps(json.loads(line), sort_keys=True) for line in lines}


@pytest.fixture(scope="module")
def source() -> Any:
    """A tenant with a small graph."""
    tenant = make_tenant()
    sow(tenant.id, users=2, seed=3)
    return tenant


@pytest.mark.requirement("graph:transfer")
@pytest.mark.parametrize("name", ["graph.jsonl", "graph", "graph.cypher"])
def test_a_graph_comes_back_the_same_in_every_format(name: str, source: Any, tmp_path: Path) -> None:
    target, format_ = make_tenant(), format_for(tmp_path / name)
    original = exported(source.id, tmp_path / "original.jsonl")

    done = export_graph(source.id, tmp_path / name, format_)
    loaded = import_graph(target.id, tmp_path / name, format_)

    again = exported(target.id, tmp_path / "again.jsonl")
    assert done == len(original) == loaded.nodes_created + loaded.relationships_created
    assert sorted_keys(again) == under_own_uids(original, target.id)


@pytest.mark.requirement("graph:transfer-again")
def test_a_tenants_own_export_changes_nothing_where_it_came_from(source: Any, tmp_path: Path) -> None:
    lines = exported(source.id, tmp_path / "own.jsonl")

    loaded = import_graph(source.id, tmp_path / "own.jsonl", JSONL)

    assert loaded == Loaded(unchanged=len(lines))


def test_nodes_whose_uids_the_tenant_gave_itself_are_found_again(tmp_path: Path) -> None:
    tenant = make_tenant()
    tool = {
        "uid": f"free-{tenant.id}",
        "tenant_id": str(tenant.id),
        "id": "x",
        "name": "n",
        "version": "1",
        "type": "t",
    }
    client.write("CREATE (n:Tool) SET n = $tool", {"tool": tool}, tenant_id=tenant.id)
    exported(tenant.id, tmp_path / "own.jsonl")

    loaded = import_graph(tenant.id, tmp_path / "own.jsonl", JSONL)

    assert loaded == Loaded(unchanged=1)


@pytest.mark.requirement("graph:import-resumes")
def test_an_import_that_was_killed_goes_on_and_ends_in_the_same_graph(
    spawn: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    tenant, file = make_tenant(), tmp_path / "big.jsonl"
    records = list(generate(40, seed=5, uid=str))
    file.write_text(lines_of(records))
    progress = tmp_path / "big.jsonl.progress"

    first = spawn("manage", "import_graph", str(file), "--tenant", tenant.slug, name=f"import-{tenant.slug}")
    wait_for(lambda: progress.exists() or first.poll() is not None, what="the first batch")
    first.send_signal(signal.SIGKILL)
    first.wait()
    was_under_way = progress.exists()
    reports: list[tuple[int, int]] = []
    loaded = import_graph(tenant.id, file, JSONL, lambda done, total: reports.append((done, total)))

    again = exported(tenant.id, tmp_path / "again.jsonl")
    assert was_under_way
    assert sorted_keys(again) == under_own_uids(file.read_text().splitlines(), tenant.id)
    assert len(again) == len(records)
    assert loaded.nodes_created + loaded.relationships_created + loaded.unchanged <= len(records) - loading.BATCH
    assert reports[-1] == (file.stat().st_size, file.stat().st_size)
    assert not progress.exists()


class Interrupted(Exception):
    """Somebody pulled the plug."""


@pytest.mark.requirement("graph:export-resumes")
@pytest.mark.parametrize("name", ["cut.jsonl", "cut"])
def test_an_export_that_was_interrupted_goes_on_and_ends_in_the_same_bytes(
    name: str, source: Any, tmp_path: Path
) -> None:
    format_ = format_for(tmp_path / name)
    export_graph(source.id, tmp_path / f"whole-{name}", format_)
    pages = 0

    def interrupt(done: int, total: int) -> None:
        nonlocal pages
        pages += 1
        if pages == 7:
            raise Interrupted

    with pytest.raises(Interrupted):
        export_graph(source.id, tmp_path / name, format_, interrupt)
    part = tmp_path / f"{name}.part"
    with (part if part.is_file() else part / "nodes-User.csv").open("ab") as file:
        file.write(b"half a record that never was confir")

    export_graph(source.id, tmp_path / name, format_)

    assert contents(tmp_path / name) == contents(tmp_path / f"whole-{name}")
    assert not part.exists()


def contents(path: Path) -> dict[str, bytes]:
    return {"": path.read_bytes()} if path.is_file() else {file.name: file.read_bytes() for file in path.iterdir()}


TOOL = {"id": "x", "name": "n", "version": "1", "type": "alignment"}


@pytest.mark.requirement("graph:import-refuses")
@pytest.mark.parametrize(
    ("second", "says"),
    [
        (
            {"type": "node", "id": "b", "labels": ["Tool"], "properties": TOOL | {"tenant_id": "another"}},
            "another tenant",
        ),
        ({"type": "node", "id": "b", "labels": ["Tool"], "properties": TOOL, "tenant_id": 7}, "another tenant"),
        ({"type": "node", "id": "b", "labels": ["Secret"], "properties": {}}, "not a label"),
        ({"type": "node", "id": "b", "labels": ["Tool"], "properties": TOOL | {"uid": "c"}}, "platform's to set"),
        (
            {"type": "relationship", "label": "OWNS", "start": {"id": "a"}, "end": {"id": "a"}},
            "not a relationship type",
        ),
        (
            {"type": "relationship", "label": "RUNS", "start": {"id": "a"}, "end": {"id": "a"}},
            "a User that is not there",
        ),
        ("no json", "not JSON"),
    ],
)
def test_what_may_not_come_in_is_refused_with_its_line(second: Any, says: str, tmp_path: Path) -> None:
    tenant, file = make_tenant(), tmp_path / "bad.jsonl"
    first = json.dumps({"type": "node", "id": "a", "labels": ["Tool"], "properties": TOOL})
    file.write_text(f"{first}\n{second if isinstance(second, str) else json.dumps(second)}\n")

    with pytest.raises(TransferRefusedError, match=says) as raised:
        import_graph(tenant.id, file, JSONL)

    assert raised.value.detail.startswith("bad.jsonl, line 2: ")
    assert raised.value.extra["line"] == 2


@pytest.mark.requirement("graph:import-own-tenant")
def test_a_file_cannot_reach_into_another_tenant(source: Any, tmp_path: Path) -> None:
    mine = make_tenant()
    before = exported(source.id, tmp_path / "before.jsonl")
    theirs = client.read(
        "MATCH (u:User)-[:RUNS]->(t:Task) WHERE u.tenant_id = $t RETURN u.uid, t.uid LIMIT 1",
        {"t": str(source.id)},
        tenant_id=source.id,
    ).rows[0]
    me = Node("User", "me", {"user_id": "1", "firstName": "A", "lastName": "B", "user_name": "ab"})
    overwrite = Node("User", theirs[0], {**me.properties, "firstName": "Overwritten"})
    (tmp_path / "attack.jsonl").write_text(lines_of([me, overwrite]))
    (tmp_path / "edge.jsonl").write_text(lines_of([Edge("RUNS", "me", theirs[1])]))

    import_graph(mine.id, tmp_path / "attack.jsonl", JSONL)
    with pytest.raises(TransferRefusedError, match="a Task that is not there"):
        import_graph(mine.id, tmp_path / "edge.jsonl", JSONL)

    assert exported(source.id, tmp_path / "after.jsonl") == before
    own = client.read("MATCH (u:User) WHERE u.tenant_id = $t RETURN u.uid", {"t": str(mine.id)}, tenant_id=mine.id)
    assert len(own.rows) == 2
    assert [theirs[0]] not in own.rows


def test_strange_places_are_refused(source: Any, tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").write_text("")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "passwords.csv").write_text("")

    for call in (
        lambda: export_graph(source.id, tmp_path / "there.jsonl", JSONL),
        lambda: import_graph(source.id, tmp_path / "missing.jsonl", JSONL),
        lambda: import_graph(source.id, tmp_path / "tables", JSONL),
        lambda: import_graph(source.id, tmp_path / "tables", FORMATS["csv"]),
        lambda: format_for(tmp_path / "graph.xlsx"),
    ):
        with pytest.raises(TransferRefusedError):
            call()
