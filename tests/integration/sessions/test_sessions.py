"""/v1/sessions as a client sees it."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.agents import retention
from kernel.redis_keys import SESSION
from tests.clients import Api
from tests.factories import make_token


@pytest.fixture
def session(api: Api) -> dict[str, Any]:
    answer = api.post("/v1/sessions", {"title": "First"})
    assert answer.status == 201, answer.body
    return dict(answer.json)


@pytest.mark.requirement("sessions:create")
def test_a_session_begins_active_with_the_defaults(api: Api, tenant: Any, principal: Any) -> None:
    answer = api.post("/v1/sessions", {})

    body = answer.json
    assert answer.status == 201
    assert answer.headers["location"].endswith(f"/v1/sessions/{body['session_id']}")
    assert body["status"] == "active" and body["temperature"] == 0.2 and body["max_steps"] == 8
    assert body["user_id"] == principal.sub and body["tenant_id"] == str(tenant.id)
    assert api.get(f"/v1/sessions/{body['session_id']}").json == body


@pytest.mark.requirement("sessions:create")
@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"temperature": 3}, ["body", "temperature"]),
        ({"max_steps": 0}, ["body", "max_steps"]),
        ({"unknown": 1}, ["body", "unknown"]),
        ({"session_id": "x"}, ["body", "session_id"]),
        ({"title": "a\u0000b"}, ["body", "title"]),
    ],
)
def test_a_refusal_names_the_field(api: Api, body: dict[str, Any], loc: list[str]) -> None:
    answer = api.post("/v1/sessions", body)

    assert answer.status == 422
    assert answer.json["errors"][0]["loc"] == loc


@pytest.mark.requirement("sessions:create")
def test_an_id_that_is_taken_is_a_conflict(api: Api, stranger: Api) -> None:
    chosen = str(uuid4())

    assert api.post("/v1/sessions", {"session_id": chosen}).status == 201

    again = api.post("/v1/sessions", {"session_id": chosen})
    assert (again.status, again.json["code"]) == (409, "session_already_exists")


@pytest.mark.requirement("sessions:idempotency")
def test_a_repeat_with_the_same_key_is_the_same_session(api: Api) -> None:
    body = {"title": "once"}

    def create(_: int) -> Any:
        return api.post("/v1/sessions", body, Idempotency_Key="k-1")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(create, range(8)))

    assert {answer.json["session_id"] for answer in answers} == {answers[0].json["session_id"]}
    assert sorted(answer.status for answer in answers) == [200] * 7 + [201]
    changed = api.post("/v1/sessions", {"title": "other"}, Idempotency_Key="k-1")
    assert (changed.status, changed.json["code"]) == (422, "idempotency_key_reused")


@pytest.mark.requirement("sessions:list")
def test_the_list_pages_through_the_callers_own(api: Api, colleague: Api) -> None:
    mine = [api.post("/v1/sessions", {"title": f"{n}"}).json["session_id"] for n in range(5)]
    colleague.post("/v1/sessions", {})

    first = api.get("/v1/sessions?limit=3").json
    second = api.get(f"/v1/sessions?limit=3&cursor={first['next_cursor']}").json

    assert first["total"] == 5 and first["has_more"] and not second["has_more"]
    assert [item["session_id"] for item in first["items"] + second["items"]] == mine[::-1]
    assert colleague.get(f"/v1/sessions?cursor={first['next_cursor']}").status == 400


@pytest.mark.requirement("sessions:read")
def test_reading_answers_304_until_something_changes(api: Api, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}"
    etag = api.get(path).headers["etag"]

    assert api.get(path, If_None_Match=etag).status == 304

    api.post(f"{path}/steps", {"type": "user", "message": "hello"})
    assert api.get(path, If_None_Match=etag).status == 200


@pytest.mark.requirement("sessions:cancel")
def test_a_cancelled_session_takes_no_more_steps(api: Api, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}"

    assert api.delete(path).status == 204
    assert api.delete(path).status == 204

    assert api.get(path).json["status"] == "cancelled"
    refused = api.post(f"{path}/steps", {"type": "user", "message": "hello"})
    assert (refused.status, refused.json["code"]) == (409, "session_not_active")


@pytest.mark.requirement("sessions:steps")
def test_steps_added_at_once_are_numbered_without_a_gap(api: Api, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}/steps"

    def add(number: int) -> Any:
        return api.post(path, {"type": "user", "message": f"line {number}", "input": {"n": number}})

    with ThreadPoolExecutor(8) as pool:
        added = [answer.json for answer in pool.map(add, range(24))]

    assert sorted(step["seq"] for step in added) == list(range(1, 25))
    page = api.get(f"{path}?limit=20").json
    rest = api.get(f"{path}?cursor={page['next_cursor']}").json
    assert [step["seq"] for step in page["items"] + rest["items"]] == list(range(1, 25))
    last = api.get(f"/v1/sessions/{session['id']}").json
    assert last["last_step_seq"] == 24 and last["last_step_id"] == rest["items"][-1]["step_id"]
    one = api.get(f"{path}/{page['items'][0]['step_id']}")
    assert one.json == page["items"][0]


@pytest.mark.requirement("sessions:idempotency")
def test_a_repeated_step_is_added_once(api: Api, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}/steps"
    body = {"type": "tool", "tool": "graph.query", "output": [1, 2]}

    first = api.post(path, body, Idempotency_Key="s-1")
    again = api.post(path, body, Idempotency_Key="s-1")

    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    assert len(api.get(path).json["items"]) == 1


@pytest.mark.requirement("sessions:own-only")
def test_another_sees_no_session(api: Api, colleague: Api, stranger: Api, admin: Api, session: dict[str, Any]) -> None:
    path = f"/v1/sessions/{session['id']}"
    missing = f"/v1/sessions/{uuid4()}"

    for who in (colleague, stranger):
        for found, never in ((who.get(path), who.get(missing)), (who.delete(path), who.delete(missing))):
            assert found.status == never.status == 404
            assert found.json["detail"] == never.json["detail"]
        assert who.post(f"{path}/steps", {"type": "user", "message": "x"}).status == 404
        assert who.get(f"{path}/steps").status == 404

    assert admin.get(path).status == 200
    spoken = admin.post(f"{path}/steps", {"type": "user", "message": "as you"})
    assert (spoken.status, spoken.json["code"]) == (403, "not_the_owner")


@pytest.mark.requirement("sessions:roles")
def test_a_session_cannot_take_a_role_its_owner_does_not_have(api: Api, api_url: str, tenant: Any) -> None:
    refused = api.post("/v1/sessions", {"agent_role": "admin"})

    assert (refused.status, refused.json["code"]) == (403, "role_not_held")
    assert api.post("/v1/sessions", {"agent_role": "user"}).status == 201
    assert Api(api_url, make_token(tenant, role="viewer")).post("/v1/sessions", {}).status == 403


@pytest.mark.requirement("sessions:cache")
def test_a_forged_cache_entry_is_not_believed(api: Api, session: dict[str, Any], redis_client: Any) -> None:
    path, key = f"/v1/sessions/{session['id']}", SESSION(id=session["id"])
    api.get(path)
    held = redis_client.get(key)
    assert b'"status":"active"' in held and 0 < redis_client.ttl(key) <= (SESSION.ttl_s or 0)

    redis_client.set(key, held.replace(b"First", b"Other"))

    assert api.get(path).json["title"] == "First"
    other = api.post("/v1/sessions", {}).json["id"]
    redis_client.set(SESSION(id=other), held)
    assert api.get(f"/v1/sessions/{other}").json["id"] == other


@pytest.mark.requirement("sessions:expiry")
def test_an_idle_session_ends_and_goes(api: Api, session: dict[str, Any], admin_url: str, redis_client: Any) -> None:
    path = f"/v1/sessions/{session['id']}"
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute("UPDATE sessions SET expires_at = now() - interval '1 s' WHERE id = %s", [session["id"]])
        redis_client.delete(SESSION(id=session["id"]))

        assert api.get(path).json["status"] == "completed"
        assert api.post(f"{path}/steps", {"type": "user", "message": "late"}).status == 409
        retention.clean()
        row = superuser.execute("SELECT status, ended_reason FROM sessions WHERE id = %s", [session["id"]]).fetchone()
        assert row == ("completed", "expired")

        superuser.execute("UPDATE sessions SET updated_at = now() - interval '1 year' WHERE id = %s", [session["id"]])
        retention.clean()

    redis_client.delete(SESSION(id=session["id"]))
    assert api.get(path).status == 404


@pytest.mark.requirement("sessions:predecessor")
def test_the_predecessors_path_is_the_same_resource(api: Api, session: dict[str, Any]) -> None:
    listed = api.get("/v1/agents/sessions").json

    assert [item["session_id"] for item in listed["items"]] == [session["id"]]
    assert {"session_id", "status", "created_at", "updated_at", "last_step_seq", "manager"} <= listed["items"][0].keys()
    assert json.loads(api.get(f"/v1/agents/sessions/{session['id']}").body) == session
