"""/mcp as HTTP: who gets in, where a token is to be had, and which methods and pages there are."""

import asyncio
from typing import Any

import httpx2
import pytest
from django.conf import settings as django_settings
from django.test import Client as DjangoClient
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    extract_resource_metadata_from_www_auth,
    extract_scope_from_www_auth,
)
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from apps.identity.scopes import SCOPE_TEXTS
from apps.mcp.metadata import SCOPES
from apps.tenancy.services import set_tenant_status
from tests.clients import Api
from tests.factories import make_token
from tests.integration.identity.conftest import bearer
from tests.integration.mcp.talking import BEFORE, post, said

pytestmark = pytest.mark.requirement("tools:mcp")
LIST = "tools/list"


def test_without_a_token_a_client_learns_where_to_get_one(api_url: str) -> None:
    refused = post(Api(api_url), LIST)

    response = httpx2.Response(refused.status, headers=refused.headers)
    named = extract_resource_metadata_from_www_auth(response)
    assert refused.status == 401
    assert named == f"{django_settings.PUBLIC_URL}/.well-known/oauth-protected-resource/mcp"
    assert "error=" not in refused.headers["www-authenticate"]
    assert set((extract_scope_from_www_auth(response) or "").split()) == set(SCOPES) <= set(SCOPE_TEXTS)
    assert refused.json["correlation_id"]

    document = Api(api_url).get(named.removeprefix(django_settings.PUBLIC_URL))
    metadata = ProtectedResourceMetadata.model_validate_json(document.body)
    assert document.status == 200
    assert str(metadata.resource) == f"{django_settings.PUBLIC_URL}/mcp"
    assert metadata.bearer_methods_supported == ["header"]

    (issuer,) = [str(server) for server in metadata.authorization_servers]
    places = [
        place.removeprefix(django_settings.PUBLIC_URL)
        for place in build_oauth_authorization_server_metadata_discovery_urls(issuer, named)
    ]
    found = next(answer for answer in map(Api(api_url).get, places) if answer.status == 200)
    server = OAuthMetadata.model_validate_json(found.body)
    assert str(server.issuer) == issuer
    assert server.code_challenge_methods_supported == ["S256"]


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
def test_the_metadata_is_for_everybody_and_for_every_page(api_url: str, path: str) -> None:
    answer = Api(api_url).get(path, Origin="https://somebody.example.org")

    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_another_issuer_is_named_where_another_is_trusted(settings: Any) -> None:
    client = DjangoClient(SERVER_NAME="127.0.0.1")
    settings.OIDC_ISSUER = "https://idp.example.org/realms/centre"

    document = client.get("/.well-known/oauth-protected-resource").json()

    assert document["authorization_servers"] == ["https://idp.example.org/realms/centre"]


def test_a_bad_token_is_told_apart_from_none_and_says_nothing_more(api_url: str, tenant: Any) -> None:
    answer = post(Api(api_url, make_token(tenant, ttl_s=-100)), LIST)

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.json["detail"] == "Invalid or missing token"


def test_answers_carry_names_limits_and_the_callers_trace(api: Api) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    answer = post(api, LIST, X_Request_Id="mine", X_Correlation_Id="ours", traceparent=trace)

    assert answer.status == 200
    assert (answer.headers["x-request-id"], answer.headers["x-correlation-id"]) == ("mine", "ours")
    assert answer.headers["traceparent"].split("-")[1] == trace.split("-")[1]
    assert int(answer.headers["x-ratelimit-remaining"]) < int(answer.headers["x-ratelimit-limit"])


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
def test_there_is_no_session_to_follow_or_to_end(api: Api, method: str) -> None:
    answer = api.request(method, "/mcp", Accept="text/event-stream", Mcp_Session_Id="0" * 32)

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.json["code"] == "method_not_allowed"


def test_what_a_suspended_tenant_asks_is_refused(api: Api, tenant: Any) -> None:
    set_tenant_status(tenant.id, "suspended", by=None)

    def refusal() -> Any:
        answer = post(api, LIST)
        return answer.status in (401, 403) and answer

    from tests.clients import wait_for

    refused = wait_for(refusal, what="the suspension")
    assert refused.json["code"] in ("tenant_suspended", "unauthenticated")


@pytest.mark.parametrize("version", [*KNOWN_PROTOCOL_VERSIONS, "", "1999-01-01"])
def test_revisions_are_negotiated(api: Api, version: str) -> None:
    hello = {"protocolVersion": version or BEFORE, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}

    answer = api.request(
        "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        Accept="application/json, text/event-stream",
    )  # fmt: skip

    result = said(answer)["result"]
    spoken = set(KNOWN_PROTOCOL_VERSIONS) - set(MODERN_PROTOCOL_VERSIONS)
    assert result["protocolVersion"] == (version if version in spoken else BEFORE)
    assert "mcp-session-id" not in answer.headers
    assert set(result["capabilities"]) >= {"tools", "resources", "prompts"}


def test_a_revision_that_is_none_is_refused_with_those_there_are(api: Api) -> None:
    envelope = {"io.modelcontextprotocol/protocolVersion": "2099-01-01",
                "io.modelcontextprotocol/clientCapabilities": {}}  # fmt: skip

    answer = post(api, LIST, {"_meta": envelope}, Mcp_Protocol_Version="2099-01-01", Mcp_Method=LIST)

    assert answer.status == 400
    assert said(answer)["error"]["data"]["supported"] == ["2026-07-28"]


@pytest.mark.parametrize(
    "body",
    [b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]', b"{", b"null", b'"x"', b"\xff", b"{}",
     b'{"jsonrpc":"1.0","id":1,"method":"tools/list"}', b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}',
     b'{"jsonrpc":"2.0","id":1,"method":7}', b'{"jsonrpc":"2.0","id":1,"result":{}}',
     b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}', b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}'],
)  # fmt: skip
@pytest.mark.parametrize("version", [BEFORE, "2026-07-28"])
def test_what_is_no_message_is_refused_without_a_word_about_the_inside(api: Api, body: bytes, version: str) -> None:
    answer = api.request(
        "POST", "/mcp", body, Accept="application/json, text/event-stream", Mcp_Protocol_Version=version
    )

    assert answer.status == 400
    assert answer.json["error"]["code"] in (-32700, -32600)
    assert b"pydantic" not in answer.body


def test_a_cursor_that_is_none_is_refused(api: Api) -> None:
    for cursor in ("x", "YWZ0ZXI6OTk5OTk5", "YWZ0ZXI6LTE=", ""):
        error = said(post(api, LIST, {"cursor": cursor}))["error"]

        assert (error["code"], error["data"]["code"]) == (-32602, "invalid_cursor")


def test_long_lists_come_in_pages(url_here: str, tenant: Any, settings: Any) -> None:
    from tests.integration.mcp.talking import talk, tool_names

    token = make_token(tenant)
    whole = talk(url_here, token, tool_names)

    settings.MCP_PAGE_SIZE = 3

    assert talk(url_here, make_token(tenant, "user", "another"), tool_names, query="?names=underscores") == [
        name.replace(".", "_") for name in whole
    ]


def test_a_page_of_an_allowed_origin_may_ask_and_read(url_here: str, tenant: Any) -> None:
    from apps.edge.cors import CorsPolicy

    assert CorsPolicy.from_settings().origins == frozenset()
    own = django_settings.PUBLIC_URL

    preflight = Api(url_here).request(
        "OPTIONS", "/mcp", Origin=own, Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,mcp-protocol-version",
    )  # fmt: skip
    answer = post(Api(url_here, make_token(tenant)), LIST, Origin=own)

    assert preflight.status == 204
    assert answer.status == 200


def test_a_process_without_an_event_loop_says_where_it_is_not(tenant: Any) -> None:
    client = DjangoClient(SERVER_NAME="127.0.0.1")
    body = {"jsonrpc": "2.0", "id": 1, "method": LIST}

    answer = client.post("/mcp", body, "application/json", headers=bearer(make_token(tenant)))

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert client.post("/mcp", body, "application/json").status_code == 401


def test_a_server_without_lifespan_says_so(tenant: Any) -> None:
    from apps.edge.mcp_gate import McpGate
    from apps.mcp.application import McpApplication

    async def nobody(*_: Any) -> None:
        raise AssertionError("not for Django")

    transport = httpx2.ASGITransport(McpGate(McpApplication(), nobody))

    async def ask() -> httpx2.Response:
        async with httpx2.AsyncClient(transport=transport, base_url=django_settings.PUBLIC_URL) as http:
            headers = {"Authorization": f"Bearer {make_token(tenant)}"}
            return await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers)

    answer = asyncio.run(ask())

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
