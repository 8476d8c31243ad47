"""Layer 1 at a running server: which pages of other origins may read what."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.edge.cors import CorsPolicy
from config.env import SettingError
from config.settings.cors import DEV_ORIGINS, allowed, origin
from tests.clients import PATIENCE_S, Api, free_port, is_up, wait_for

PANEL = "https://panel.example.org"
ALLOW = "access-control-allow-origin"


@pytest.fixture(scope="module")
def panel_url(spawn: Callable[..., Any]) -> Iterator[str]:
    """A server that a page of PANEL may call, with credentials."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn(
        "config.serve", "--port", str(port), name="web-cors",
        AGENTIC_CORS_ORIGINS=f"{PANEL},http://localhost:3000", AGENTIC_CORS_CREDENTIALS="true",
    )  # fmt: skip
    wait_for(lambda: is_up(url), what="the API server answering")
    yield url
    process.terminate()
    process.wait(timeout=PATIENCE_S)


def preflight(url: str, origin: str, method: str = "POST", headers: str = "authorization, content-type") -> Any:
    return Api(url).request(
        "OPTIONS",
        "/v1/jobs",
        Origin=origin,
        Access_Control_Request_Method=method,
        Access_Control_Request_Headers=headers,
    )


@pytest.mark.requirement("trace:cors-preflight")
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_preflight_of_an_allowed_page_is_answered_without_a_token(panel_url: str, method: str) -> None:
    answer = preflight(panel_url, PANEL, method)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers[ALLOW] == PANEL
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert method in answer.headers["access-control-allow-methods"].split(", ")
    assert answer.headers["access-control-allow-headers"].lower() == "authorization, content-type"
    assert answer.headers["access-control-max-age"] == "600"
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.requirement("trace:cors-preflight")
def test_a_header_that_nobody_declared_is_not_granted(panel_url: str) -> None:
    answer = preflight(panel_url, PANEL, headers="x-evil, idempotency-key")

    assert answer.headers["access-control-allow-headers"] == "Idempotency-Key"


@pytest.mark.requirement("trace:cors-answers")
def test_an_allowed_page_may_read_answers_and_errors_and_their_headers(panel_url: str, api: Api) -> None:
    there = Api(panel_url, api.token)

    answers = [
        there.get("/v1/jobs", Origin=PANEL),
        there.post("/v1/jobs", {"type": "test"}, Origin=PANEL),
        Api(panel_url).get("/v1/jobs", Origin=PANEL),
        there.get("/v1/nothing", Origin=PANEL),
        there.post("/v1/jobs", b"{", Origin=PANEL),
        Api(panel_url).get("/v1/health/live", Origin=PANEL),
    ]

    assert [answer.status for answer in answers] == [200, 202, 401, 404, 400, 200]
    for answer in answers:
        assert answer.headers[ALLOW] == PANEL
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"].split(", ")
        assert "origin" in answer.headers["vary"].lower()


@pytest.mark.requirement("trace:cors-answers")
def test_an_unforeseen_error_can_be_read_by_an_allowed_page(
    settings: Any, monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    settings.CORS_ORIGINS = frozenset({PANEL})
    monkeypatch.setattr("apps.jobs.selectors.list_jobs", None)
    client = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)

    response = client.get("/v1/jobs", headers={"Origin": PANEL, "Authorization": f"Bearer {api.token}"})

    assert response.status_code == 500
    assert response[ALLOW] == PANEL


@pytest.mark.requirement("trace:cors-answers")
def test_the_issuers_documents_are_everybodys_and_its_token_endpoint_the_panels(panel_url: str) -> None:
    anyone = Api(panel_url)

    discovery = anyone.get("/oidc/.well-known/openid-configuration", Origin="https://elsewhere.example")
    token = anyone.request(
        "POST", "/oidc/token", b"grant_type=authorization_code", Origin=PANEL,
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    stranger = anyone.get("/oidc/userinfo", Origin="https://elsewhere.example")

    assert discovery.headers[ALLOW] == "*"
    assert token.status in (400, 401)
    assert token.headers[ALLOW] == PANEL
    assert ALLOW not in stranger.headers


@pytest.mark.requirement("trace:cors-answers")
def test_a_server_that_allows_nobody_says_nothing_of_cors(api: Api) -> None:
    answer = api.get("/v1/jobs", Origin=PANEL)

    assert answer.status == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.requirement("trace:cors-settings")
def test_everybody_together_with_credentials_stops_the_start() -> None:
    with pytest.raises(SettingError, match="AGENTIC_CORS_CREDENTIALS"):
        allowed(["*"], True, "prod")


@pytest.mark.requirement("trace:cors-settings")
@pytest.mark.parametrize(
    "text",
    ["null", "panel.example.org", "https://", "https://*.example.org", "https://a.example/path", "ftp://a.example",
     "https://user@a.example", "https://a.example:x", "https://a.example?x"],
)  # fmt: skip
def test_what_is_no_origin_stops_the_start(text: str) -> None:
    with pytest.raises(SettingError, match="is no origin"):
        allowed([text], False, "prod")


@pytest.mark.requirement("trace:cors-settings")
def test_origins_are_compared_as_browsers_write_them() -> None:
    assert origin("HTTPS://Panel.Example.org:443") == PANEL
    assert origin("http://[::1]:3000") == "http://[::1]:3000"
    assert allowed([], False, "dev") == frozenset(DEV_ORIGINS)
    assert allowed([], False, "prod") == frozenset()


@pytest.mark.requirement("trace:cors-settings")
def test_everybody_without_credentials_is_a_star() -> None:
    policy = CorsPolicy(frozenset("*"), False, ("GET",), ("Accept",), ("ETag",), 600)

    assert policy.headers(PANEL)["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in policy.headers(PANEL)
