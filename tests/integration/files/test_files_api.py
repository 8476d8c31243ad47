"""Files over HTTP: what was sent comes back, to whom it belongs, and to nobody else."""

import hashlib
import io
import json
import os
import socket
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4
from wsgiref.util import setup_testing_defaults

import pytest
from django.conf import settings as django_settings
from django.core.wsgi import get_wsgi_application

from apps.files import disk
from apps.files.models import File
from apps.identity.principal import Principal
from apps.tenancy.services import change_tenant
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S, Answer, Api, wait_for
from tests.factories import make_token

pytestmark = pytest.mark.requirement("tools:files")
MIB = 1 << 20


def send(api: Api, content: bytes, query: str = "", **headers: str) -> Answer:
    return api.request("POST", f"/v1/files{query}", content, Content_Type=headers.pop("type", "text/csv"), **headers)


def left_on_disk(tenant_id: UUID) -> list[str]:
    home = Path(django_settings.BASE_DIR) / django_settings.FILES_DIR / tenant_id.hex
    return sorted(path.name for path in home.iterdir()) if home.exists() else []


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 17], ids=["empty", "byte", "larger-than-a-body"])
def test_a_file_comes_back_as_it_was_sent(api: Api, size: int) -> None:
    content = os.urandom(size)

    made = send(api, content, "?name=genes.csv")
    got = api.get(f"/v1/files/{made.json['id']}/content")

    assert (made.status, made.json["size_bytes"]) == (201, size)
    assert made.json["sha256"] == hashlib.sha256(content).hexdigest()
    assert made.headers["location"].endswith(f"/v1/files/{made.json['id']}")
    assert (got.status, got.body) == (200, content)
    assert got.headers["content-type"] == "text/csv"
    assert got.headers["content-disposition"].startswith('attachment; filename="genes.csv"')
    assert got.headers["x-content-type-options"] == "nosniff"


def test_an_upload_that_is_sent_again_with_its_key_is_the_same_file(api: Api, tenant: Any) -> None:
    content, key = os.urandom(3 * MIB + 17), f"k-{uuid4()}"

    first, second = (send(api, content, "?name=genes.csv", Idempotency_Key=key) for _ in range(2))
    others = [
        send(api, content[:-1] + b"!", "?name=genes.csv", Idempotency_Key=key),
        send(api, content, "?name=other.csv", Idempotency_Key=key),
    ]

    assert (first.status, second.status, second.json) == (201, 200, first.json)
    assert (first.headers["idempotency-replayed"], second.headers["idempotency-replayed"]) == ("false", "true")
    assert [(one.status, one.json["code"]) for one in others] == [(422, "idempotency_key_reused")] * 2
    assert left_on_disk(tenant.id) == [UUID(first.json["id"]).hex]
    assert api.delete(f"/v1/files/{first.json['id']}").status == 204
    assert send(api, content, "?name=genes.csv", Idempotency_Key=key).json["code"] == "idempotency_key_reused"


def test_uploads_with_one_key_at_once_are_one_file(api: Api, tenant: Any) -> None:
    key = f"k-{uuid4()}"

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: send(api, b"genes" * MIB, Idempotency_Key=key), range(4)))

    assert sorted(one.status for one in made) == [200, 200, 200, 201]
    assert len({one.json["id"] for one in made}) == 1
    assert left_on_disk(tenant.id) == [UUID(made[0].json["id"]).hex]


def test_an_upload_that_was_refused_leaves_its_key_free(api: Api) -> None:
    key = f"k-{uuid4()}"

    refused = send(api, b"gen", f"?sha256={'0' * 64}", Idempotency_Key=key)
    made = send(api, b"genes", Idempotency_Key=key)

    assert (refused.json["code"], made.status) == ("digest_mismatch", 201)
    assert (
        send(api, b"genes", Idempotency_Key="\u00e9".encode().decode("latin-1")).json["code"]
        == "invalid_idempotency_key"
    )


def test_lines_of_json_are_not_changed_on_their_way_out(api: Api) -> None:
    content = b'{"email": "ada@example.org"}\n'

    made = send(api, content, type="application/x-ndjson")

    assert api.get(f"/v1/files/{made.json['id']}/content").body == content


@pytest.mark.parametrize(
    ("asked", "status", "expected"),
    [("bytes=0-3", 206, b"0123"), ("bytes=7-", 206, b"789"), ("bytes=-2", 206, b"89"), ("bytes=8-99", 206, b"89"),
     ("bytes=10-", 416, None), ("bytes=-0", 416, None), ("bytes=5-2", 200, b"0123456789"),
     ("bytes=0-1,3-4", 200, b"0123456789"), ("lines=1-2", 200, b"0123456789")],
)  # fmt: skip
def test_one_range_can_be_asked_for(api: Api, asked: str, status: int, expected: bytes | None) -> None:
    made = send(api, b"0123456789")

    got = api.get(f"/v1/files/{made.json['id']}/content", Range=asked)

    assert got.status == status
    if expected is not None:
        assert got.body == expected
    assert got.headers.get("content-range", "").startswith("bytes") == (status == 206)


def test_a_range_of_another_version_is_the_whole_and_what_the_client_has_is_not_sent(api: Api) -> None:
    made = send(api, b"0123456789")
    address = f"/v1/files/{made.json['id']}/content"
    etag = api.get(address).headers["etag"]

    assert api.get(address, Range="bytes=0-3", If_Range='"other"').body == b"0123456789"
    assert api.get(address, Range="bytes=0-3", If_Range=etag).body == b"0123"
    assert api.get(address, If_None_Match=etag).status == 304


def test_what_arrives_is_held_against_its_digest(api: Api, tenant: Any) -> None:
    digest = hashlib.sha256(b"genes")

    good = send(api, b"genes", f"?sha256={digest.hexdigest()}")
    also = send(api, b"genes", Content_Digest=f"sha-256=:{b64encode(digest.digest()).decode()}:")
    bad = send(api, b"other", f"?sha256={digest.hexdigest()}")

    assert (good.status, also.status) == (201, 201)
    assert (bad.status, bad.json["code"]) == (422, "digest_mismatch")
    assert len(left_on_disk(tenant.id)) == 2


@pytest.mark.parametrize(
    ("query", "type_", "status"),
    [("?name=" + quote("a/b"), "text/csv", 422), ("?name=" + "x" * 256, "text/csv", 422),
     ("?name=" + quote("a\nb"), "text/csv", 422), ("?sha256=12", "text/csv", 400), ("?path=x", "text/csv", 400),
     ("", "no type", 400), ("?name=" + quote("DROP TABLE files; --.csv"), "text/csv", 201),
     ("?name=" + quote("zażółć 日本 'a\"b.csv"), "text/csv", 201)],
    ids=["slash", "long", "line-feed", "digest", "parameter", "type", "sql", "unicode"],
)  # fmt: skip
def test_what_is_said_of_a_file_is_checked_and_never_believed(
    api: Api, tenant: Any, query: str, type_: str, status: int
) -> None:
    made = send(api, b"x", query, type=type_)

    assert made.status == status, made.body
    assert len(left_on_disk(tenant.id)) == (1 if status == 201 else 0)
    if status == 201:
        assert api.get(f"/v1/files/{made.json['id']}/content").status == 200


def test_others_files_look_like_none_and_administrators_see_the_tenants(
    api: Api, colleague: Api, admin: Api, stranger: Api
) -> None:
    made = send(api, b"genes")
    address = f"/v1/files/{made.json['id']}"
    nobodys = f"/v1/files/{uuid4()}"

    for other in (colleague, stranger):
        for path in (address, f"{address}/content"):
            assert (other.get(path).status, other.get(path).json["code"]) == (404, "file_not_found")
        assert other.delete(address).json["code"] == other.delete(nobodys).json["code"] == "file_not_found"
        assert other.get("/v1/files").json["total"] == 0
    assert admin.get("/v1/files").json["items"][0]["id"] == made.json["id"]
    assert admin.get(f"{address}/content").body == b"genes"
    assert admin.delete(address).status == 204
    assert api.get(address).status == 404


def test_a_viewer_may_read_and_not_send(api_url: str, tenant: Any) -> None:
    viewer = Api(api_url, make_token(tenant, role="viewer"))

    refused = send(viewer, b"x" * (2 * MIB))

    assert (refused.status, refused.json["extensions"]["required_permission"]) == (403, "files:create")
    assert viewer.get("/v1/files").status == 200
    assert left_on_disk(tenant.id) == []


def test_nobody_without_a_token_writes_a_byte(api_url: str) -> None:
    before = sorted((Path(django_settings.BASE_DIR) / django_settings.FILES_DIR).rglob("*.part"))

    refused = send(Api(api_url), b"x" * (2 * MIB))

    assert refused.status == 401
    assert sorted((Path(django_settings.BASE_DIR) / django_settings.FILES_DIR).rglob("*.part")) == before


def test_lists_come_in_pages(api: Api) -> None:
    made = [send(api, b"%d" % number, f"?name={number}").json["id"] for number in range(5)]

    first = api.get("/v1/files?limit=3").json
    second = api.get(f"/v1/files?limit=3&page_token={first['next_page_token']}").json

    assert [one["id"] for one in first["items"] + second["items"]] == made[::-1]
    assert (first["total"], second["has_more"]) == (5, False)


def test_a_tenant_has_no_more_room_than_its_quota(api: Api, tenant: Any) -> None:
    change_tenant(tenant.id, {"settings": {"quotas": {"file_bytes": 3 * MIB}}}, by=None)
    wait_for(lambda: send(api, b"x" * (4 * MIB)).status == 413, what="the quota known to the server")

    first = send(api, b"x" * (2 * MIB))
    second = send(api, b"x" * (2 * MIB))
    api.delete(f"/v1/files/{first.json['id']}")
    third = send(api, b"x" * (2 * MIB))

    assert (first.status, second.status, second.json["code"], third.status) == (201, 413, "storage_full", 201)
    assert left_on_disk(tenant.id) == [UUID(third.json["id"]).hex]


def test_an_upload_of_unknown_length_that_breaks_off_leaves_nothing(
    api_url: str, tenant: Any, principal: Principal
) -> None:
    address, token = urlsplit(api_url), make_token(tenant, sub=principal.sub)
    head = (
        f"POST /v1/files?name=half HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S) as client:
        client.sendall(head.encode() + b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        wait_for(lambda: any(".part" in name for name in left_on_disk(tenant.id)), what="bytes on disk")

    wait_for(lambda: not left_on_disk(tenant.id), what="nothing on disk")
    with tenant_scope(tenant.id):
        assert not File.objects.exists()


def test_an_upload_of_unknown_length_is_taken(api_url: str, tenant: Any, principal: Principal, api: Api) -> None:
    address, token = urlsplit(api_url), make_token(tenant, sub=principal.sub)
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S) as client:
        client.sendall(head.encode() + b"5\r\ngenes\r\n6\r\nof man\r\n0\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert b" 201 " in answer.splitlines()[0]
    (listed,) = api.get("/v1/files").json["items"]
    assert api.get(f"/v1/files/{listed['id']}/content").body == b"genesof man"


@pytest.fixture
def call(tenant: Any, principal: Principal) -> Callable[..., tuple[str, bytes]]:
    """One request to the application in this process; (status line, body)."""
    application = get_wsgi_application()

    def call(method: str, path: str, body: bytes = b"", **environ: str) -> tuple[str, bytes]:
        seen: list[str] = []
        token = f"Bearer {make_token(tenant, sub=principal.sub)}"
        asked = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_AUTHORIZATION": token, "HTTP_HOST": "127.0.0.1",
                 "wsgi.input": io.BytesIO(body), **environ}  # fmt: skip
        setup_testing_defaults(asked)
        answer = application(asked, lambda status, headers: seen.append(status))
        got = b"".join(answer)
        answer.close()  # type: ignore[attr-defined]
        return seen[0], got

    return call


def test_under_wsgi_files_come_and_go_in_pieces_too(call: Callable[..., tuple[str, bytes]]) -> None:
    content = os.urandom(3 * MIB)

    status, made = call("POST", "/v1/files", content, CONTENT_LENGTH=str(len(content)), CONTENT_TYPE="text/csv")
    unannounced = call("POST", "/v1/files", content, HTTP_TRANSFER_ENCODING="chunked")
    got = call("GET", f"/v1/files/{json.loads(made)['id']}/content")

    assert (status[:3], unannounced[0][:3], got[0][:3]) == ("201", "201", "200")
    assert got[1] == content
    assert json.loads(unannounced[1])["size_bytes"] == len(content)


def test_an_upload_to_a_full_disk_says_so_and_leaves_nothing(
    call: Callable[..., tuple[str, bytes]], tenant: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(path: str, flags: int) -> int:
        os.close(os.open(path, flags, 0o600))
        return os.open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(disk, "private", on_a_full_disk)

    status, body = call("POST", "/v1/files", b"genes", CONTENT_LENGTH="5", CONTENT_TYPE="text/csv")

    assert (status[:3], json.loads(body)["code"]) == ("507", "disk_full")
    assert left_on_disk(tenant.id) == []
    with tenant_scope(tenant.id):
        assert not File.objects.exists()


def test_a_file_whose_content_is_lost_says_so(api: Api, tenant: Any) -> None:
    made = send(api, b"genes")
    disk.content(tenant.id, UUID(made.json["id"])).unlink()

    assert api.get(f"/v1/files/{made.json['id']}/content").json["code"] == "file_content_missing"
