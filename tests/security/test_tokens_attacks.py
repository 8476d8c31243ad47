"""Attacks 1 to 22 on tokens, at the running server. What the verifier alone can show is in tests/unit/identity."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.tenancy.models import Tenant
from tests.clients import PATIENCE_S, Answer, Api, free_port, is_up, wait_for
from tests.factories import make_tenant, make_token
from tests.integration.identity.idp import IdP
from tests.unit.identity.forge import ATTACKS, Forge

ME = "/v1/auth/me"
VARYING = {"request_id", "correlation_id", "trace_id", "extensions"}


def shape(answer: Answer) -> dict[str, Any]:
    """The body without what differs from request to request."""
    return {name: value for name, value in answer.json.items() if name not in VARYING}


def believed(api_url: str, forge: Forge, number: str) -> list[str]:
    """The forgeries of this attack that were answered with anything but the one 401."""
    expected = shape(Api(api_url).get(ME))
    assert expected["status"] == 401
    forgeries = {name: attack(forge) for name, attack in ATTACKS.items() if name.startswith(f"{number} ")}
    assert forgeries
    wrong = []
    for name, token in forgeries.items():
        if not token.isascii() or not token.isprintable():
            continue  # no header can hold it; the unit tests give it to the verifier
        answer = Api(api_url, token).get(ME)
        if answer.status != 401 or shape(answer) != expected or not answer.headers.get("x-correlation-id"):
            wrong.append(f"{name}: {answer.status}")
    return wrong


def raw(api_url: str, path: str, *headers: tuple[str, str], method: str = "GET") -> tuple[int, bytes]:
    """A request with exactly these headers, in this order, repeated ones too."""
    parts = urlsplit(api_url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_S)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.requirement("security:1")
def test_a_token_without_an_algorithm_is_refused(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "1") == []


@pytest.mark.requirement("security:2")
def test_a_public_key_is_never_taken_for_a_secret(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "2") == []


@pytest.mark.requirement("security:3")
def test_only_a_whole_signature_of_this_token_counts(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "3") == []


@pytest.mark.requirement("security:6")
def test_critical_extensions_are_refused(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "6") == []


@pytest.mark.requirement("security:8")
def test_an_issuer_that_is_almost_ours_is_another(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "8") == []


@pytest.mark.requirement("security:9")
def test_only_access_tokens_are_access_tokens(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "9") == []


@pytest.mark.requirement("security:11")
def test_other_algorithms_and_spellings_are_refused(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "11") == []


@pytest.mark.requirement("security:12")
def test_an_issuer_bound_to_one_tenant_speaks_for_no_other(spawn: Callable[..., Any], tenant: Tenant) -> None:
    lab, idp = make_tenant(), IdP()
    forge = Forge(rsa.generate_private_key(public_exponent=65537, key_size=2048), "lab-1", idp.issuer, str(lab.id))
    idp.keys = [forge.jwk()]
    issuers = json.dumps({lab.slug: {"issuer": idp.issuer, "audience": "lab-api"}})
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = spawn("config.serve", "--port", str(port), name="web-issuers", AGENTIC_OIDC_TENANT_ISSUERS=issuers)
    try:
        wait_for(lambda: is_up(url), what="the API server answering")
        about = {
            "its own": forge.with_claims(aud="lab-api"),
            "another's": forge.with_claims(aud="lab-api", tenant_id=str(tenant.id)),
            "another's, as admin": forge.with_claims(aud="lab-api", tenant_id=str(tenant.id), roles=["admin"]),
            "the platform's for the lab": make_token(lab, "admin"),
            "the platform's for its own": make_token(tenant),
        }

        statuses = {name: Api(url, token).get(ME).status for name, token in about.items()}
    finally:
        process.terminate()
        process.wait(timeout=PATIENCE_S)
        idp.stop()

    assert statuses == {
        "its own": 200,
        "another's": 401,
        "another's, as admin": 401,
        "the platform's for the lab": 401,
        "the platform's for its own": 200,
    }


@pytest.mark.requirement("security:13")
def test_a_claim_may_stand_in_a_token_once(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "13") == []


@pytest.mark.requirement("security:13")
@pytest.mark.parametrize("order", [1, -1])
def test_two_authorization_headers_are_refused_whichever_is_good(api_url: str, api: Api, order: int) -> None:
    good, bad = ("Authorization", f"Bearer {api.token}"), ("Authorization", "Bearer x")

    assert raw(api_url, ME, good)[0] == 200
    assert raw(api_url, ME, *[good, bad][::order])[0] in (400, 401)
    assert raw(api_url, ME, good, good)[0] in (400, 401)


@pytest.mark.requirement("security:13")
def test_a_token_in_the_address_or_in_a_cookie_opens_nothing(api_url: str, api: Api) -> None:
    token = api.token
    cookies = ("Cookie", f"access_token={token}; Authorization=Bearer {token}; cineca_session={token}")

    for path in (ME, "/v1/jobs", f"/v1/jobs/{uuid4()}/events", f"/v1/jobs/{uuid4()}/events?format=json&x=1"):
        joined = "&" if "?" in path else "?"
        assert raw(api_url, f"{path}{joined}access_token={token}")[0] == 401, path
        assert raw(api_url, f"{path}{joined}token={token}")[0] == 401, path
        assert raw(api_url, path, cookies)[0] == 401, path
        assert raw(api_url, path, cookies, ("Authorization", "Bearer x"))[0] == 401, path


@pytest.mark.requirement("security:14")
def test_a_tenant_is_one_uuid_in_one_spelling(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "14") == []


@pytest.mark.requirement("security:15")
def test_roles_and_scopes_of_the_wrong_type_are_refused(api_url: str, forge: Forge) -> None:
    assert believed(api_url, forge, "15") == []


@pytest.mark.requirement("security:15")
@pytest.mark.parametrize(
    "roles", [["ADMIN"], ["Admin"], ["root"], ["admin "], ["аdmin"], ["*"], ["admin,user"], ["superuser", "ADMIN"]]
)
def test_a_role_nobody_knows_has_no_permission_whatever_the_scopes_say(
    api_url: str, forge: Forge, roles: list[str]
) -> None:
    caller = Api(api_url, forge.with_claims(roles=roles, scopes=["admin:all", "read", "write"]))

    assert caller.get(ME).json["permissions"] == []
    assert [caller.get(path).status for path in ("/v1/jobs", "/v1/admin/jobs")] == [403, 403]
    assert caller.post("/v1/jobs", {"type": "test", "payload": {}}).status == 403


@pytest.mark.requirement("security:16")
def test_the_tokens_of_a_deleted_tenant_are_refused_within_five_seconds(api_url: str, admin_url: str) -> None:
    tenant = make_tenant()
    caller = Api(api_url, make_token(tenant, "admin"))
    assert caller.get(ME).status == 200

    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute("DELETE FROM tenants WHERE id = %s", [tenant.id])

    wait_for(lambda: caller.get(ME).status == 401, what="the tenant's token being refused")


@pytest.mark.requirement("security:22")
def test_neither_the_clock_nor_the_body_tells_why_a_token_was_refused(api_url: str, forge: Forge) -> None:
    causes = {
        "unknown key": ATTACKS["11 kid unknown"],
        "bad signature": ATTACKS["3 one bit flipped"],
        "expired": ATTACKS["expired"],
    }
    took_ms: dict[str, list[float]] = {name: [] for name in causes}
    shapes = []

    for _ in range(80):  # in turn, so that a busy moment is everybody's
        for name, attack in causes.items():
            caller = Api(api_url, attack(forge))
            began = time.perf_counter()
            answer = caller.get(ME)
            took_ms[name].append((time.perf_counter() - began) * 1000)
            shapes.append(json.dumps(shape(answer)))

    least = {name: min(times) for name, times in took_ms.items()}  # without the machine's hiccups
    assert len(set(shapes)) == 1
    assert max(least.values()) < 2 * min(least.values()) + 5, least


@pytest.mark.requirement("security:22")
def test_a_refusal_says_nothing_of_the_inside(api_url: str, forge: Forge) -> None:
    for attack in ("expired", "8 iss case", "14 tenant_id star"):
        answer = Api(api_url, ATTACKS[attack](forge)).get(ME)

        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json["detail"] == "Invalid or missing token"
        for word in ("expired", "tenant_id", "issuer", "Traceback", forge.kid):
            assert word not in str(shape(answer))
