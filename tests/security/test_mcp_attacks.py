"""Attacks 49, 107, 108 and 110 at /mcp: tokens for others, sessions and origins, and what grows without end."""

import json
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings

from apps.audit.models import AuditLog
from apps.tools.models import ToolInvocation
from kernel.tenant_context import tenant_scope
from tests.clients import Api, wait_for
from tests.factories import make_token
from tests.integration.mcp.talking import BEFORE, NOW, post, said
from tests.raw_http import RawConnection, statuses
from tests.unit.identity.forge import Forge

ACCEPT = "application/json, text/event-stream"
LIST = "tools/list"
CALL = "tools/call"


# -- 107: confused deputies
@pytest.mark.requirement("security:107")
@pytest.mark.parametrize(
    "changes",
    [{"aud": "another-service"}, {"aud": ["another-service"]}, {"aud": ""},
     {"aud": f"{django_settings.PUBLIC_URL}/mcp"}, {"iss": "https://issuer.example.org"}, {"exp": 1},
     {"tenant_id": "11111111-1111-4111-8111-111111111111"}],
    ids=["another", "list", "empty", "our-address", "another-issuer", "expired", "no-tenant"],
)  # fmt: skip
def test_a_token_for_others_opens_nothing(api_url: str, forge: Forge, changes: dict[str, Any]) -> None:
    for method in (LIST, "initialize", CALL, "resources/read"):
        answer = post(Api(api_url, forge.token(payload=forge.claims(**changes))), method, {"name": "system.time"})

        assert (answer.status, answer.json["code"]) == (401, "unauthenticated")
        assert "resource_metadata=" in answer.headers["www-authenticate"]


@pytest.mark.requirement("security:107")
def test_the_token_counts_only_in_its_header(api_url: str, tenant: Any) -> None:
    token = make_token(tenant)
    nobody, somebody = Api(api_url), Api(api_url, token)
    message = {"jsonrpc": "2.0", "id": 1, "method": LIST}

    tried = [
        nobody.request("POST", f"/mcp?access_token={token}", message, Accept=ACCEPT),
        nobody.request("POST", f"/mcp?token={token}", message, Accept=ACCEPT),
        somebody.request("POST", f"/mcp?access_token={token}", message, Accept=ACCEPT),
        nobody.request("POST", "/mcp", message, Accept=ACCEPT, Cookie=f"access_token={token}"),
        nobody.request("POST", "/mcp", message, Accept=ACCEPT, Authorization=f"Basic {token}"),
        nobody.request("POST", "/mcp", {**message, "params": {"_meta": {"authorization": token}}}, Accept=ACCEPT),
    ]

    assert [answer.status for answer in tried] == [401] * 6
    assert not [answer for answer in tried if token.encode() in answer.body]


@pytest.mark.requirement("security:107")
def test_two_tokens_in_two_headers_are_none(api_url: str, tenant: Any) -> None:
    good = make_token(tenant)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": LIST}).encode()
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {ACCEPT}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {good}\r\nAuthorization: Bearer {good}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    with RawConnection(api_url) as connection:
        connection.send(head.encode() + body)
        received = connection.read_to_end()

    assert statuses(received) == [401]


@pytest.mark.requirement("security:107")
def test_a_tool_works_in_the_name_of_the_token_whatever_the_message_says(api_url: str, tenant: Any) -> None:
    caller = Api(api_url, make_token(tenant, sub="ada"))
    claims = {"sub": "root", "roles": ["admin"], "tenant_id": str(uuid4()), "it.cineca.agentic/sub": "root"}

    answer = post(caller, CALL, {"name": "system.time", "arguments": {}, "_meta": claims})

    (row,) = _invocations(tenant)
    assert not said(answer)["result"].get("isError")
    assert (row.owner_sub, row.tenant_id) == ("ada", tenant.id)


@pytest.mark.requirement("security:107")
def test_refusals_are_noted_without_the_token(api_url: str, tenant: Any) -> None:
    token = make_token(tenant, "guest", sub=f"guest-{tenant.slug}")
    answer = post(Api(api_url, token), LIST, X_Tenant_Id=str(uuid4()))
    assert answer.status == 403

    def noted() -> Any:
        with tenant_scope(tenant.id):
            return AuditLog.objects.filter(action="access.refused", resource_id="/mcp").first()

    row = wait_for(noted, what="the audit row")

    assert (row.actor, row.details["reason"]) == (f"guest-{tenant.slug}", "cross_tenant_refused")
    assert token not in str(row.details)


# -- 108: sessions, hosts, origins, metadata
@pytest.mark.requirement("security:108")
@pytest.mark.parametrize("session", ["", "0" * 32, "../../etc", "1", "a" * 4000])
def test_a_session_that_is_guessed_leads_nowhere(api: Api, colleague: Api, session: str) -> None:
    """There are none: whatever is named, the answer is the token's own, and none is ever handed out."""
    mine = said(post(api, CALL, {"name": "system.time", "arguments": {}}, Mcp_Session_Id=session))
    theirs = post(colleague, LIST, Mcp_Session_Id=session, Last_Event_Id="1")

    assert mine["result"]["structuredContent"]
    assert theirs.status == 200
    assert "mcp-session-id" not in theirs.headers
    assert Api(api.base_url).request("GET", "/mcp", Mcp_Session_Id=session, Accept=ACCEPT).status == 401
    assert api.request("GET", "/mcp", Mcp_Session_Id=session, Last_Event_Id="1", Accept=ACCEPT).status == 405


@pytest.mark.requirement("security:108")
@pytest.mark.parametrize(
    "host",
    ["evil.example.org", "127.0.0.1.evil.example.org", "evil.example.org:8000", "localhost.evil.example.org", "",
     "127.0.0.1@evil.example.org", "[::1].evil", "127.0.0.1, evil.example.org"],
)  # fmt: skip
def test_a_name_that_was_bound_to_us_is_refused(api: Api, host: str) -> None:
    answer = post(api, LIST, Host=host)

    assert (answer.status, answer.json["code"]) == (400, "unknown_host")


@pytest.mark.requirement("security:108")
@pytest.mark.parametrize(
    "origin",
    ["http://evil.example.org", "null", "http://localhost:3000", "https://127.0.0.1:8000", "http://127.0.0.1:80001", "",
     "http://127.0.0.1:8000.evil.example.org", "file://", "http://127.0.0.1:8000/", "http://127.0.0.1"],
)  # fmt: skip
def test_a_page_of_another_origin_is_refused_whatever_token_it_has(api: Api, origin: str) -> None:
    for headers in ({"Origin": origin}, {"Origin": origin, "Mcp_Protocol_Version": NOW}):
        answer = post(api, LIST, **headers)

        assert (answer.status, answer.json["code"]) == (403, "origin_refused")
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.requirement("security:108")
@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-Host", "X-Forwarded-Proto"])
def test_no_header_changes_where_tokens_are_to_be_had(api_url: str, header: str) -> None:
    path = "/.well-known/oauth-protected-resource/mcp"
    asked = Api(api_url).get(path, **{header.replace("-", "_"): "evil.example.org"})
    refused = post(Api(api_url), LIST, **({} if header == "Host" else {header.replace("-", "_"): "evil.example.org"}))

    assert b"evil" not in asked.body
    assert "evil" not in refused.headers["www-authenticate"]


# -- 49: more parameters than the schema has, and other types
@pytest.mark.requirement("security:49")
@pytest.mark.parametrize(
    "arguments",
    [{"extra": 1}, {"__proto__": {}}, {"": ""}, {"a" * 10_000: 1}, {"session_id": ["x"]}, {"session_id": 7},
     {"session_id": True}, {"session_id": {"$ne": 1}}, {"session_id": "a\0b"}, {"limit": "7"}, {"limit": 1.5}],
)  # fmt: skip
@pytest.mark.parametrize("version", [BEFORE, NOW])
def test_what_the_schema_does_not_have_is_refused_before_the_tool_runs(
    api: Api, tenant: Any, arguments: dict[str, Any], version: str
) -> None:
    result = said(_call(api, "agent.history", arguments, version))["result"]

    told = json.loads(result["content"][0]["text"])
    assert (result["isError"], told["code"]) == (True, "invalid_arguments")
    assert _invocations(tenant) == []


@pytest.mark.requirement("security:49")
@pytest.mark.parametrize(
    "params",
    [{"name": ["system.time"]}, {"name": 7}, {"name": None}, {}, {"name": "system.time", "arguments": []},
     {"name": "system.time", "arguments": "x"}, {"name": "system.time", "_meta": 7},
     {"name": "x" * 100_000}, {"name": "../system.time"}, {"name": "system.time\0"}, {"name": "SYSTEM.TIME"}],
)  # fmt: skip
def test_a_call_of_another_shape_is_an_error_that_says_little(api: Api, tenant: Any, params: dict[str, Any]) -> None:
    answer = post(api, CALL, params)

    error = said(answer)["error"]
    assert error["code"] == -32602
    assert len(answer.body) < 2000
    assert b"pydantic" not in answer.body
    assert b"Traceback" not in answer.body
    assert _invocations(tenant) == []


@pytest.mark.requirement("security:49")
def test_infinity_and_not_a_number_are_no_json(api: Api) -> None:
    for number in (b"1e999", b"NaN", b"-Infinity"):
        body = (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"agent.history","arguments":{"limit":%b}}}'
        )

        answer = api.request("POST", "/mcp", body % number, Accept=ACCEPT, Mcp_Protocol_Version=BEFORE)

        refused = answer.status == 400 or said(answer)["result"]["isError"]
        assert refused


# -- 110: what grows without end
@pytest.mark.requirement("security:mcp-limits")
@pytest.mark.parametrize("version", [BEFORE, NOW])
def test_many_messages_in_one_are_refused_at_once(api: Api, tenant: Any, version: str) -> None:
    one = {"jsonrpc": "2.0", "id": 1, "method": CALL, "params": {"name": "system.time", "arguments": {}}}
    body = json.dumps([one] * 8000).encode()
    assert len(body) < django_settings.MAX_BODY_BYTES

    answer = api.request("POST", "/mcp", body, Accept=ACCEPT, Mcp_Protocol_Version=version)

    assert (answer.status, answer.json["error"]["code"]) == (400, -32600)
    assert _invocations(tenant) == []


@pytest.mark.requirement("security:mcp-limits")
def test_a_body_that_is_too_large_or_too_deep_is_refused(api: Api) -> None:
    large = api.request("POST", "/mcp", b" " * (django_settings.MAX_BODY_BYTES + 1), Accept=ACCEPT)
    deep = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}"
    answer = api.request("POST", "/mcp", deep, Accept=ACCEPT)

    assert (large.status, large.json["code"]) == (413, "payload_too_large")
    assert (answer.status, answer.json["code"]) == (400, "too_deep")


@pytest.mark.requirement("security:mcp-limits")
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_a_form_of_another_page_is_no_message(api: Api, kind: str) -> None:
    answer = post(api, LIST, Content_Type=kind)

    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


@pytest.mark.requirement("security:mcp-limits")
def test_a_body_that_dawdles_is_refused_and_holds_up_nobody(tenant: Any, settings: Any) -> None:
    from tests.integration.mcp.talking import served_here

    settings.REQUEST_ARRIVAL_S = 0.5
    token = make_token(tenant)
    head = (
        f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {ACCEPT}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n{{"
    )

    with served_here() as url, RawConnection(url) as slow:
        slow.send(head.encode())
        meanwhile = post(Api(url, token), LIST)
        received = slow.read_to_end()

    assert meanwhile.status == 200
    assert statuses(received) == [408]


@pytest.mark.requirement("security:mcp-limits")
def test_a_caller_who_asks_too_often_is_told_when_to_come_back(tenant: Any, settings: Any) -> None:
    from tests.integration.mcp.talking import served_here

    settings.RATE_LIMIT_FACTOR = 0.01  # 6 a minute
    with served_here() as url:
        caller = Api(url, make_token(tenant))
        answers = [post(caller, LIST) for _ in range(8)]
        bystander = post(Api(url, make_token(tenant)), LIST)

    assert [answer.status for answer in answers] == [200] * 6 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json["code"] == "rate_limited"
    assert bystander.status == 200


def _call(api: Api, name: str, arguments: dict[str, Any], version: str) -> Any:
    """A call in the words of either revision."""
    if version == BEFORE:
        return post(api, CALL, {"name": name, "arguments": arguments})
    envelope = {"io.modelcontextprotocol/protocolVersion": NOW, "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"name": name, "arguments": arguments, "_meta": envelope}
    return post(api, CALL, params, Mcp_Protocol_Version=NOW, Mcp_Method=CALL, Mcp_Name=name)


def _invocations(tenant: Any) -> list[ToolInvocation]:
    with tenant_scope(tenant.id):
        return list(ToolInvocation.objects.all())
