"""Tools over REST: what a caller sees, one call, what stands in the store (SPEC 8, the contract's 7.1 and 7.2)."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from apps.identity.issuer import sign_access_token
from apps.tools.spec import DECLARED
from tests.clients import Api
from tests.factories import make_token

pytestmark = pytest.mark.requirement("tools:rest")
TIME = "/v1/tools/system.time/invocations"


@pytest.fixture
def caller_of(api_url: str, tenant: Any) -> Callable[..., Api]:
    """A caller of the test's tenant: ``caller_of("viewer")``."""
    return lambda role, sub=None: Api(api_url, make_token(tenant, role, sub))


def names(api: Api, query: str = "") -> list[str]:
    """Names of all tools that a list shows, page by page."""
    found: list[str] = []
    token = ""
    while True:
        page = api.get(f"/v1/tools?limit=10&{query}{token}").json
        found += [item["name"] for item in page["items"]]
        if not page["has_more"]:
            assert page["total"] == len(found)
            return found
        token = f"&page_token={page['next_page_token']}"


def test_a_caller_sees_only_what_it_may_call(caller_of: Callable[..., Api]) -> None:
    seen = {role: names(caller_of(role)) for role in ("viewer", "user", "admin")}

    assert seen["viewer"] == []
    assert seen["user"] == sorted(seen["user"])
    assert "system.time" in seen["user"]
    assert set(seen["user"]) <= set(seen["admin"])
    assert set(seen["admin"]) == {name for name, spec in DECLARED.items() if not spec.platform}


def test_a_tool_is_shown_with_everything_a_client_needs(api: Api, admin: Api) -> None:
    shown = api.get("/v1/tools/system.time").json

    assert (shown["id"], shown["name"], shown["invokable"], shown["module"]) == (
        "system.time@1.0.0", "system.time", True, None,
    )  # fmt: skip
    assert shown["rate_limit"] == {"requests": 100, "window": 60}
    assert shown["required_scopes"] == shown["scopes"] == ["tools:invoke:basic"]
    assert shown["annotations"]["readOnlyHint"] is True
    assert shown["input_schema"]["additionalProperties"] is False
    assert shown["output_schema"]["properties"]["utc"]
    assert shown["example"] == {}
    assert admin.get("/v1/tools/system.time").json["module"] == "apps.toolbox.system"


def test_lists_are_narrowed_by_filters(admin: Api) -> None:
    reading, system = names(admin, "effect=read"), names(admin, "category=system&")

    assert reading == [name for name in names(admin) if DECLARED[name].effect == "read"]
    assert system == [name for name in names(admin) if name.startswith("system.")]
    assert "system.time" in names(admin, "q=DATE&")
    assert names(admin, "long_running=true&") == [name for name in names(admin) if DECLARED[name].long_running]


@pytest.mark.parametrize(
    ("query", "code"),
    [("effect=good", "invalid_filter"), ("limit=51", "invalid_limit"), ("page_token=x", "invalid_cursor"),
     ("long_running=perhaps", "invalid_filter"), ("nothing=1", "unknown_parameter")],
)  # fmt: skip
def test_a_filter_that_is_none_is_refused(api: Api, query: str, code: str) -> None:
    answer = api.get(f"/v1/tools?{query}")

    assert (answer.status, answer.json["code"]) == (400, code)


@pytest.mark.parametrize("path", ["/v1/tools", "/v1/tools/system.time"])
def test_who_has_the_present_list_is_told_so(api: Api, path: str) -> None:
    first = api.get(path)
    again = api.get(path, If_None_Match=first.headers["etag"])

    assert (first.headers["cache-control"], first.headers["etag"][0]) == ("private, max-age=30", '"')
    assert (again.status, again.body) == (304, b"")


def test_what_is_unknown_or_hidden_is_not_found(api: Api, caller_of: Callable[..., Api]) -> None:
    unknown, hidden = api.get("/v1/tools/no.such_tool"), caller_of("viewer").get("/v1/tools/system.time")

    assert (unknown.status, unknown.json["code"]) == (404, "tool_not_found")
    assert (hidden.status, hidden.json["code"]) == (404, "tool_not_found")


def test_a_call_is_answered_in_the_contracts_shape_and_can_be_read_again(api: Api) -> None:
    answer = api.post(TIME, {"args": {}})
    said = answer.json
    kept = api.get(answer.headers["location"].removeprefix(api.base_url))

    assert (answer.status, answer.headers["idempotency-replayed"]) == (201, "false")
    assert {"name", "ok", "result", "error", "duration_ms", "trace_id", "event_id"} <= set(said)
    assert (said["name"], said["ok"], said["error"], said["status"]) == ("system.time", True, None, "succeeded")
    assert (said["result"]["ok"], said["result"]["action"], said["timeout_seconds"]) == (True, "time", 30)
    assert kept.json["result"] == said["result"]
    assert (kept.json["id"], kept.json["door"], kept.json["trace_id"]) == (said["event_id"], "rest", said["trace_id"])
    assert api.get(f"{TIME}/{said['id']}", If_None_Match=kept.headers["etag"]).status == 304


def test_a_call_may_be_empty_and_its_time_is_cut_to_the_tools(api: Api) -> None:
    assert api.post(TIME, {}).status == 201
    assert api.post(TIME, {"timeout_seconds": 3600}).json["timeout_seconds"] == 30
    assert api.post(TIME, {"timeout_seconds": 2}).json["timeout_seconds"] == 2


@pytest.mark.parametrize(
    "body",
    [{"args": []}, {"arguments": {}}, {"timeout_seconds": 0}, {"timeout_seconds": 3601}, {"timeout_seconds": "5"},
     {"mode": "later"}, {"safe_mode": "yes"}, {"args": {"extra": 1}}, []],
    ids=["list", "unknown-key", "no-time", "much-time", "text", "mode", "safe-mode", "unknown-argument", "no-object"],
)  # fmt: skip
def test_a_body_that_does_not_fit_is_refused_with_every_fault(api: Api, body: Any) -> None:
    answer = api.post(TIME, body)

    assert answer.status == 422
    assert answer.json["errors"]


def test_a_repeat_with_its_key_is_answered_from_the_store(api: Api) -> None:
    key = f"k-{uuid4()}"

    first, second = (api.post(TIME, {"args": {}}, Idempotency_Key=key) for _ in range(2))
    as_job = api.post(TIME, {"args": {}, "mode": "async"}, Idempotency_Key=key)

    assert (second.status, second.headers["idempotency-replayed"]) == (200, "true")
    assert (second.json["id"], second.json["result"]) == (first.json["id"], first.json["result"])
    assert (as_job.status, as_job.json["code"]) == (409, "idempotency_key_reused")


def test_who_may_not_is_told_what_is_missing(caller_of: Callable[..., Api]) -> None:
    answer = caller_of("viewer").post(TIME, {})

    assert (answer.status, answer.json["code"]) == (403, "forbidden")
    assert answer.json["extensions"]["required_scopes"] == ["tools:invoke:basic"]


def test_a_call_is_its_owners_and_its_administrators(
    api: Api, colleague: Api, admin: Api, stranger: Api, principal: Any
) -> None:
    made = api.post(TIME, {}).json["id"]

    assert [caller.get(f"{TIME}/{made}").status for caller in (api, colleague, admin, stranger)] == [200, 404, 200, 404]
    assert api.get(f"/v1/tools/graph.schema/invocations/{made}").status == 404
    assert [item["id"] for item in api.get(TIME).json["items"]] == [made]
    assert colleague.get(TIME).json["total"] == admin.get(TIME).json["total"] == 0
    assert [item["id"] for item in admin.get(f"{TIME}?owner=*").json["items"]] == [made]
    assert admin.get(f"/v1/tools/invocations?owner={principal.sub}").json["total"] == 1
    assert stranger.get(f"{TIME}?owner=*").json["total"] == 0
    assert colleague.get(f"{TIME}?owner=*").status == 403


def test_the_history_has_pages_and_filters(api: Api) -> None:
    made = [api.post(TIME, {}).json["id"] for _ in range(3)]

    first = api.get("/v1/tools/invocations?limit=2&tool=system.time&door=rest&status=succeeded").json
    second = api.get(
        f"/v1/tools/invocations?limit=2&tool=system.time&door=rest&status=succeeded&page_token={first['next_page_token']}"
    ).json

    assert [item["id"] for item in first["items"] + second["items"]] == made[::-1]
    assert (first["total"], second["has_more"]) == (3, False)
    assert api.get("/v1/tools/invocations?status=failed,lost,running").json["total"] == 0
    assert api.get("/v1/tools/invocations?door=mcp").json["total"] == 0
    assert api.get("/v1/tools/invocations?since=2099-01-01").json["total"] == 0
    assert api.get("/v1/tools/invocations?status=odd").status == 400
    assert api.get(f"{TIME}/not-an-id").status == 400


def test_a_batch_answers_each_call_for_itself(api: Api) -> None:
    key = f"k-{uuid4()}"
    asked = [
        {"name": "system.time", "idempotency_key": key}, {"name": "no.such_tool"},
        {"name": "system.time", "args": {"x": 1}}, {"name": "system.time", "idempotency_key": key},
    ]  # fmt: skip

    answer = api.post("/v1/tools/invocations", {"invocations": asked})
    stopped = api.post("/v1/tools/invocations", {"invocations": asked, "stop_on_error": True})

    items = answer.json["items"]
    assert (answer.status, answer.json["succeeded"], answer.json["failed"]) == (200, 2, 2)
    assert [item["http_status"] for item in items] == [201, 404, 422, 200]
    assert [item["name"] for item in items] == [call["name"] for call in asked]
    assert (items[1]["error"]["code"], items[2]["error"]["code"]) == ("tool_not_found", "invalid_arguments")
    assert items[3]["id"] == items[0]["id"]
    assert [item["http_status"] for item in stopped.json["items"]] == [200, 404, 424, 424]


@pytest.mark.parametrize("calls", [[], [{"name": "system.time"}] * 21, [{"name": "system.time", "more": 1}]])
def test_a_batch_that_does_not_fit_is_refused_whole(api: Api, calls: list[Any]) -> None:
    assert api.post("/v1/tools/invocations", {"invocations": calls}).status == 422


def test_the_scopes_that_a_tool_requires_are_all_that_a_token_must_cover(
    api_url: str, tenant: Any, caller_of: Callable[..., Api]
) -> None:
    shown = caller_of("curator").get("/v1/tools/crud.delete_node").json
    enough = set(shown["required_scopes"])

    assert {"graph:write", "write"} <= enough
    assert "tools:invoke:basic" not in enough, "tools:invoke includes it"
    for missing in (None, *enough):
        scopes = sorted({*enough, "read"} - {missing})
        token = sign_access_token(
            sub="x", tenant_id=tenant.id, roles=["curator"], scopes=scopes, client_id="tests", ttl_s=60
        )
        answer = Api(api_url, token).post("/v1/tools/crud.delete_node/invocations", {"args": {}})
        assert answer.status == (201 if missing is None else 403), (missing, answer.body)
