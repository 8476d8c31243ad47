"""Attacks through parameters, fields and strings: security.md 26, 27, 49, 59, 62, 64."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from apps.tenancy.services import change_tenant
from tests.clients import Api, wait_for

NAUGHTY: list[str] = json.loads((Path(__file__).resolve().parents[1] / "data" / "blns" / "blns.json").read_text())
LISTS = ("/v1/jobs", "/v1/sessions")


@pytest.fixture
def plain(api: Api, tenant: Any) -> Iterator[Api]:
    """A caller whose tenant has answers as they are."""
    change_tenant(tenant.id, {"settings": {"pii_mode": "off"}}, by=None)
    job_id = api.submit("test", {"note": "ada@example.com"})
    wait_for(lambda: api.job(job_id)["payload"] == {"note": "ada@example.com"}, what="the mode being believed")
    yield api


@pytest.mark.requirement("security:26")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "tenant=B", "tenant_id=B", "filter[tenant_id]=B", "ordering=tenant__secret", "sort=tenant", "fields=payload",
        "include=tenant.users", "expand=tenant", "owner_sub=x", "status__in=queued", "where=1", "$filter=1",
    ],
)  # fmt: skip
def test_a_list_takes_no_parameter_it_does_not_know(api: Api, path: str, query: str) -> None:
    answer = api.get(f"{path}?{query}")

    assert answer.status == 400
    assert answer.json["correlation_id"]


@pytest.mark.requirement("security:27")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "name",
    [
        "_connector", "_negated", "password__startswith", "owner.password", "a%00b", "a%0ab", "a%22b", "__class__",
        "status) OR (1=1", "id;select", "x" * 300,
    ],
)  # fmt: skip
def test_no_name_of_a_parameter_gets_into_a_query(api: Api, path: str, name: str) -> None:
    answer = api.get(f"{path}?{quote(name, safe='%')}=1")

    assert (answer.status, answer.json["code"]) == (400, "unknown_parameter")


@pytest.mark.requirement("security:27")
@pytest.mark.parametrize(
    "field", ["_connector", "password__startswith", "a.b", "__class__", "a\x00b", "tenant_id", "id"]
)
def test_no_name_of_a_field_gets_into_a_query(api: Api, field: str) -> None:
    answer = api.post("/v1/jobs", {"type": "test", field: "x"})

    assert answer.status == 422
    assert answer.json["errors"][0]["type"] == "extra_forbidden"


@pytest.mark.requirement("security:49")
@pytest.mark.parametrize(
    "body",
    [
        b'{"type": "test", "payload": {"should_fail": "true"}}',
        b'{"type": "test", "payload": {"should_fail": 1}}',
        b'{"type": "test", "payload": {"duration_ms": "5"}}',
        b'{"type": "test", "payload": {"duration_ms": 1e999}}',
        b'{"type": "test", "payload": {"duration_ms": 1.5}}',
        b'{"type": "test", "payload": {"duration_ms": [1]}}',
        b'{"type": "test", "payload": {"duration_ms": true}}',
        b'{"type": "test", "payload": []}',
        b'{"type": "test", "payload": "{}"}',
        b'{"type": "test", "priority": "1"}',
        b'{"type": "test", "priority": 1.0e2}',
        b'{"type": ["test"]}',
        b'{"type": {"$ne": null}}',
        b'{"type": "test", "extra": 1}',
        b'{"type": "agent.run", "payload": {"prompt": ["x"]}}',
    ],
)
def test_a_value_of_another_type_is_a_422(api: Api, body: bytes) -> None:
    answer = api.post("/v1/jobs", body)

    assert answer.status == 422
    assert answer.json["errors"]


@pytest.mark.requirement("security:59")
@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    "query",
    [
        "limit=1000000000", "limit=-1", "limit=0", "limit=1e3", "limit=99999999999999999999", "limit=%D9%A1",
        "offset=1000000000000", "search=%25%25", "q=%25%25", "sort=payload", "page_token=AAAA", "page=2",
    ],
)  # fmt: skip
def test_pages_are_bounded_whatever_is_asked_for(api: Api, path: str, query: str) -> None:
    assert api.get(f"{path}?{query}").status == 400


@pytest.mark.requirement("security:62")
@pytest.mark.usefixtures("worker")
def test_naughty_strings_are_read_back_as_they_were_sent(plain: Api) -> None:
    payload = {"naughty": NAUGHTY, "keys": {text: place for place, text in enumerate(NAUGHTY)}}

    job_id = plain.submit("test", payload)
    listed = next(item for item in plain.get("/v1/jobs").json["items"] if item["id"] == job_id)
    ended = plain.wait_until(job_id, "finished")
    events = list(plain.events(job_id))

    assert len(NAUGHTY) == 515
    assert plain.job(job_id)["payload"] == listed["payload"] == ended["payload"] == payload
    assert [event.id for event in events if event.type != "comment"] == list(range(1, ended["last_event_id"] + 1))


@pytest.mark.requirement("security:62")
def test_a_naughty_string_in_any_field_is_taken_or_refused_and_breaks_nothing(plain: Api) -> None:
    for text in NAUGHTY[::7]:
        answers = [
            plain.post("/v1/jobs", {"type": text}),
            plain.post("/v1/jobs", {"type": "test", "payload": {text: text}}),
            plain.post("/v1/sessions", {"manager": text}),
            plain.post("/v1/sessions", {"tools": [text]}),
            plain.get(f"/v1/jobs?status={quote(text)}"),
            plain.get(f"/v1/jobs?{quote(text, safe='')}=1"),
            plain.get(f"/v1/jobs/{quote(text, safe='')}"),
        ]

        assert max(answer.status for answer in answers) < 500, text
        assert answers[0].status in (400, 422), text
        assert answers[1].status == 202, text


@pytest.mark.requirement("security:62")
def test_a_session_keeps_naughty_titles_and_messages(plain: Api) -> None:
    session = plain.post("/v1/sessions", {"title": "naughty"}).json

    for text in NAUGHTY[::11]:
        titled = plain.post("/v1/sessions", {"title": text[:200]})
        step = plain.post(f"/v1/sessions/{session['id']}/steps", {"type": "user", "message": text})

        assert titled.json["title"] == text[:200]
        assert plain.get(f"/v1/sessions/{session['id']}/steps/{step.json['id']}").json["message"] == text


@pytest.mark.requirement("security:64")
def test_markup_comes_back_as_json_and_never_as_a_page(plain: Api) -> None:
    text = "<script>alert(1)</script> ![x](http://evil.example/?d=1) [y](javascript:alert(1)) <svg onload=alert(1)>"
    job_id = plain.submit("test", {"note": text})

    answers = [plain.get(f"/v1/jobs/{job_id}"), plain.get("/v1/jobs"), plain.get(f"/v1/jobs/{quote(text, safe='')}")]

    assert answers[0].json["payload"]["note"] == text
    for answer in answers:
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert answer.headers["x-content-type-options"] == "nosniff"
