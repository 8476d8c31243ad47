"""system.backup: a tenant's graph kept and put back, and nobody else's."""

import json
import zipfile
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.files import disk
from apps.files.models import File
from apps.graph import client
from apps.graph.loading import load
from apps.graph.records import Edge
from apps.graph.transfer import importing
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.integration.toolbox.moving import content_of, sent, sow_genes, sow_work, stored
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:backup")


@pytest.fixture
def engineer(tenant: Any) -> Principal:
    return make_principal(tenant, "data_engineer")


def graph_of(principal: Principal) -> list[str]:
    """All that the tenant has, as text."""
    nodes = [json.dumps(one, sort_keys=True) for label in ("User", "Task", "Gene") for one in stored(principal, label)]
    text = (
        "MATCH (a)-[r]->(b) WHERE r.tenant_id = $tenant AND a.tenant_id = $tenant AND b.tenant_id = $tenant "
        "RETURN a.uid, type(r), b.uid"
    )
    rows = client.read(text, {"tenant": str(principal.tenant_id)}, tenant_id=principal.tenant_id).rows
    return sorted([*nodes, *map(str, rows)])


def damage(principal: Principal) -> None:
    """One node changed, one gone, one too many, and a relationship too many."""
    tenant_id = principal.tenant_id
    given = {"tenant": str(tenant_id), "a": uid_for(tenant_id, "gene 0"), "b": uid_for(tenant_id, "gene 1")}
    for text in (
        "MATCH (n:Gene {uid: $a}) WHERE n.tenant_id = $tenant SET n.symbol = 'WRONG'",
        "MATCH (n:Gene {uid: $b}) WHERE n.tenant_id = $tenant DETACH DELETE n",
    ):
        client.write(text, given, tenant_id=tenant_id)
    sow_genes(principal, 5)
    load(tenant_id, [Edge("RUNS", uid_for(tenant_id, "user 0"), uid_for(tenant_id, "task 1"))])


def test_a_restore_makes_the_graph_what_it_was(engineer: Principal) -> None:
    sow_work(engineer)
    sow_genes(engineer, 3)
    before = graph_of(engineer)

    (made,) = result(engineer, "system.backup", {"action": "create"})["backups"]
    damage(engineer)
    done = result(engineer, "system.backup", {"action": "restore", "backup_id": made["backup_id"]})

    assert (made["records"], made["nodes"], made["relationships"]) == (
        9, {"User": 2, "Task": 2, "Gene": 3}, {"RUNS": 2},
    )  # fmt: skip
    assert graph_of(engineer) == before
    assert (done["restored"]["nodes_deleted"], done["restored"]["relationships_deleted"]) == (2, 1)
    assert done["whole"] is True


def test_a_backup_is_a_file_with_a_manifest_and_is_listed(engineer: Principal, tenant: Any) -> None:
    sow_genes(engineer, 1)
    other = make_principal(tenant, "data_engineer")

    (made,) = result(engineer, "system.backup", {"action": "create"}, idempotency_key="k")["backups"]
    (again,) = result(engineer, "system.backup", {"action": "create"}, idempotency_key="k")["backups"]
    listed = result(other, "system.backup", {"action": "list"})["backups"]
    status = result(other, "system.backup", {"action": "status", "backup_id": made["backup_id"]})

    assert again == made
    assert [one["backup_id"] for one in listed] == [made["backup_id"]]
    assert status["whole"] is True
    with zipfile.ZipFile(disk.content(engineer.tenant_id, UUID(made["backup_id"]))) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert len(archive.read("graph.jsonl").splitlines()) == manifest["records"] == 1
    assert manifest["tenant_id"] == str(engineer.tenant_id)
    with tenant_scope(engineer.tenant_id):
        assert File.objects.get().kind == "backup"


def test_a_restore_that_was_cut_off_is_finished_by_the_next_attempt(
    engineer: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    monkeypatch.setattr(importing, "BATCH", 2)
    sow_genes(engineer, 6)
    before = graph_of(engineer)
    (made,) = result(engineer, "system.backup", {"action": "create"})["backups"]
    given = {"action": "restore", "backup_id": made["backup_id"]}
    damage_of = client.write("MATCH (n:Gene) WHERE n.tenant_id = $t DETACH DELETE n", {"t": str(engineer.tenant_id)},
                             tenant_id=engineer.tenant_id)  # fmt: skip
    stages: list[str] = []

    def dies(stage: str, message: str, percent: float | None) -> None:
        stages.append(stage)
        if stages.count("restoring") == 2:
            raise Killed

    with pytest.raises(Killed):
        call(engineer, "system.backup", given, idempotency_key="k", report=dies)
    half = len(stored(engineer, "Gene"))
    done = result(engineer, "system.backup", given, idempotency_key="k", supersedes=True)

    assert (damage_of.counters.nodes_deleted, half) == (6, 4)
    assert graph_of(engineer) == before
    assert done["restored"]["created"] == 6


def test_what_is_broken_is_not_restored(engineer: Principal) -> None:
    sow_genes(engineer, 2)
    (made,) = result(engineer, "system.backup", {"action": "create"})["backups"]
    path = disk.content(engineer.tenant_id, UUID(made["backup_id"]))
    path.write_bytes(path.read_bytes()[:-40])
    before = graph_of(engineer)

    outcome = call(engineer, "system.backup", {"action": "restore", "backup_id": made["backup_id"]})
    status = result(engineer, "system.backup", {"action": "status", "backup_id": made["backup_id"]})

    assert outcome.error is not None
    assert (outcome.error["code"], status["whole"]) == ("backup_broken", False)
    assert graph_of(engineer) == before


def test_a_backup_of_another_tenant_cannot_be_restored_in_any_way(engineer: Principal) -> None:
    other = make_principal(make_tenant(), "data_engineer")
    sow_genes(other, 2)
    (theirs,) = result(other, "system.backup", {"action": "create"})["backups"]
    taken = content_of(other, theirs["backup_id"])
    smuggled = sent(engineer, taken, "graph.zip")
    with tenant_scope(engineer.tenant_id):  # even where a row says that it is one
        File.objects.filter(id=smuggled).update(kind="backup")

    for backup_id, code in (
        (theirs["backup_id"], "no_backup"),
        (smuggled, "backup_broken"),
        (str(uuid4()), "no_backup"),
    ):
        outcome = call(engineer, "system.backup", {"action": "restore", "backup_id": backup_id})
        assert outcome.error is not None
        assert outcome.error["code"] == code
    assert stored(engineer, "Gene") == []


def test_a_file_that_was_sent_is_no_backup(engineer: Principal) -> None:
    sent(engineer, b"x")

    assert result(engineer, "system.backup", {"action": "list"})["backups"] == []


@pytest.mark.parametrize(
    "arguments",
    [{"action": "restore"}, {"action": "create", "backup_id": str(uuid4())}, {"action": "list", "target": "platform"},
     {"action": "restore", "backup_id": "../../etc/passwd"}],
    ids=["which", "create-one", "target", "path"],
)  # fmt: skip
def test_bad_input_is_refused(engineer: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(engineer, "system.backup", arguments)


def test_who_may_not_change_the_graph_neither_backs_it_up_nor_restores_it(tenant: Any, principal: Principal) -> None:
    for role in ("user", "operator", "viewer", "curator"):
        with pytest.raises(ForbiddenError):
            call(make_principal(tenant, role), "system.backup", {"action": "create"})
