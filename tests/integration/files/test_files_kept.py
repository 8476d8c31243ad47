"""Files on disk: what a crash leaves, what expires, and what goes with a tenant."""

import os
import time
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from apps.files import disk, retention, room, services
from apps.files.models import File
from apps.files.receiving import Upload, receive
from apps.identity.principal import Principal
from apps.tenancy import exports
from kernel.clock import now
from kernel.errors import NotFoundError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant

pytestmark = pytest.mark.requirement("tools:files")


class Killed(BaseException):
    """The process dies here."""


def sent(principal: Principal, content: bytes = b"genes") -> File:
    return receive(principal, Upload("genes.csv", "text/csv"), iter([content]))


def age(path: Path, hours: float) -> None:
    at = time.time() - hours * 3600
    os.utime(path, (at, at))


def test_what_a_crash_left_cannot_be_read_and_is_gone_within_a_day(principal: Principal) -> None:
    draft = services.begin(principal, name="half", media_type="text/csv")
    draft.part.write_bytes(b"half of it")
    (draft.work / "pieces").write_bytes(b"x")
    stray = disk.content(principal.tenant_id, uuid4())
    stray.write_bytes(b"no row knows it")

    fresh = retention.clean()
    for path in (stray, draft.part, draft.work / "pieces", draft.work):
        age(path, 13)
    with tenant_scope(principal.tenant_id):
        File.objects.filter(id=draft.row.id).update(expires_at=now() - timedelta(seconds=1))
    later = retention.clean()

    assert fresh["left_over"] == 0
    assert (later["expired"] >= 1, later["left_over"]) == (True, 1)
    assert list(disk.tenant_directory(principal.tenant_id).iterdir()) == []
    with pytest.raises(NotFoundError):
        services.delete_file(principal, draft.row.id)


def test_an_attempt_that_died_after_the_rename_is_finished_by_the_next(
    principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        raise Killed

    file_id = uuid4()
    draft = services.begin(principal, name="graph.jsonl", media_type="text/plain", file_id=file_id)
    source = draft.work / "graph.jsonl"
    source.write_bytes(b"all of it")
    monkeypatch.setattr(services, "failpoint", die)
    with pytest.raises(Killed):
        draft.finish(source)
    monkeypatch.undo()

    again = services.begin(principal, name="graph.jsonl", media_type="text/plain", file_id=file_id)
    row = again.finish(again.work / "graph.jsonl")
    third = services.begin(principal, name="graph.jsonl", media_type="text/plain", file_id=file_id)

    assert (third.is_done, row.size_bytes) == (True, 9)
    assert disk.content(principal.tenant_id, file_id).read_bytes() == b"all of it"


def test_room_is_taken_once_by_those_who_write_at_the_same_time(principal: Principal, settings: Any) -> None:
    settings.FILES_TENANT_BYTES = 100
    first = services.begin(principal, name="a", media_type="text/csv")
    second = services.begin(principal, name="b", media_type="text/csv")

    first.set_aside(60)

    with pytest.raises(room.StorageFullError):
        second.set_aside(41)
    second.set_aside(40)


def test_a_tenant_has_so_many_files_and_no_more(principal: Principal, settings: Any) -> None:
    settings.FILES_TENANT_COUNT = 2
    for _ in range(2):
        sent(principal)

    with pytest.raises(room.StorageFullError):
        sent(principal)

    with tenant_scope(principal.tenant_id):
        assert File.objects.count() == 2


def test_a_body_that_fails_half_way_leaves_nothing(principal: Principal) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 1000
        raise Killed

    with pytest.raises(Killed):
        receive(principal, Upload("half", "text/csv"), pieces())

    assert list(disk.tenant_directory(principal.tenant_id).iterdir()) == []
    with tenant_scope(principal.tenant_id):
        assert not File.objects.exists()


def test_files_are_in_their_tenants_export_and_go_with_it(tenant: Any, principal: Principal) -> None:
    mine, others = sent(principal, b"mine"), sent(make_principal(make_tenant()), b"others")

    export = exports.export_tenant(tenant, lambda: None, contents=services.contents(tenant.id))
    services.erase(tenant.id)

    with zipfile.ZipFile(exports.path_of(export.name)) as archive:
        assert archive.read(f"files/{mine.id}") == b"mine"
        assert str(mine.id) in archive.read("files.ndjson").decode()
        assert not any(str(others.id) in name for name in archive.namelist())
    assert (export.counts["files"], export.counts["contents"]) == (1, 1)
    assert not (disk.root() / tenant.id.hex).exists()
    assert disk.content(others.tenant_id, others.id).read_bytes() == b"others"
