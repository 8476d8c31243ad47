"""What attackers found in a review of the layers, kept from coming back."""

import json
import time
from typing import Any, cast

import psycopg
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from apps.audit.models import AuditLog
from apps.edge.output_guard import cut_page
from apps.identity.throttle import _checksum
from kernel import engine_db
from kernel.pii.text import scrub_text
from tests.clients import Api, wait_for
from tests.factories import make_tenant, make_token
from tests.raw_http import RawConnection


@pytest.mark.requirement("security:53")
@pytest.mark.parametrize(
    "head",
    [b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\nX-A: ",
     b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-T: "],
    ids=["headers", "trailers"],
)  # fmt: skip
def test_a_head_without_an_end_is_cut_off_and_freezes_nobody(api_url: str, head: bytes) -> None:
    with RawConnection(api_url) as attacker:
        attacker.send(head)
        with pytest.raises(OSError):
            for _ in range(200):
                attacker.send(b"a" * 1_000_000)

    assert Api(api_url).get("/v1/health/live").status == 200


@pytest.mark.requirement("guards:cost")
@pytest.mark.parametrize("secret", ["password=a1b2c3d4! ", "sk_live_aaaaaaaaaa1 ", "mario.rossi@example.com "])
def test_many_secrets_cost_in_proportion_to_their_number(secret: str) -> None:
    def cost_s(size: int) -> float:
        began = time.thread_time()
        scrub_text(secret * (size // len(secret)), "mask", b"key")
        return time.thread_time() - began

    cost_s(10_000)
    costs_s = [(cost_s(100_000), cost_s(400_000)) for _ in range(2)]  # in turn: a busy moment is everybody's
    little_s, much_s = map(min, zip(*costs_s, strict=True))

    assert much_s < 12 * max(little_s, 0.01)


@pytest.mark.requirement("security:57")
def test_a_tenant_cannot_use_up_a_route_for_others(tenant: Any, settings: Any) -> None:
    from apps.edge.rate_limit import check_rate
    from tests.factories import make_principal

    settings.RATE_LIMIT_FACTOR = 1.0
    settings.RATE_LIMITS_BY_ROUTE = {"POST /v1/only-for-this-test": 3}
    greedy, other = make_principal(tenant), make_principal(make_tenant())

    answers = [check_rate(greedy, "POST", "/v1/only-for-this-test", None).allowed for _ in range(5)]

    assert answers == [True, True, True, False, False]
    assert check_rate(other, "POST", "/v1/only-for-this-test", None).allowed


@pytest.mark.requirement("roles:sign-in-limit")
@pytest.mark.parametrize(
    "written", [" ada@example.org", "ada@example.org\t", "\u3000ada@example.org", "ａda@example.org"]
)
def test_white_space_and_other_forms_do_not_make_another_account(written: str) -> None:
    assert _checksum(written) == _checksum("ada@example.org")


@pytest.mark.requirement("security:42")
def test_a_probe_is_never_refused_for_its_address(api_url: str) -> None:
    assert Api(api_url).get("/v1/health/live?token=x").status == 200


@pytest.mark.requirement("guards:size")
def test_a_page_that_was_cut_does_not_lead_behind_what_it_left_out() -> None:
    body = b'{"items":["%s","%s"],"next_cursor":"2","next_page_token":"2","has_more":false}' % (b"x" * 600, b"y" * 600)

    page = json.loads(cut_page(body, 1000) or b"")

    assert page["items_omitted"] == 1
    assert page["next_cursor"] is None and page["next_page_token"] is None and page["has_more"] is True


@pytest.mark.requirement("sessions:steps")
def test_a_step_may_not_be_large(api: Api) -> None:
    session = api.post("/v1/sessions", {}).json["id"]

    refused = api.post(f"/v1/sessions/{session}/steps", {"type": "tool", "output": "x" * 70_000})

    assert refused.status == 422
    assert refused.json["errors"][0]["loc"] == ["body", "output"]


@pytest.mark.requirement("streams:websocket-refusals")
@pytest.mark.parametrize(("path", "origin"), [("/ws/nothing", None), ("/v1/jobs", None), ("/ws/jobs/x", "http://[")])
def test_a_strange_socket_is_refused_and_breaks_nothing(api_url: str, path: str, origin: str | None) -> None:
    url = api_url.replace("http://", "ws://") + path

    with pytest.raises(InvalidStatus) as refused, connect(url, origin=cast(Origin | None, origin)):
        pass

    assert refused.value.response.status_code == 403


@pytest.mark.requirement("audit:append-only")
def test_a_row_cannot_be_planted_before_the_first(admin: Api, tenant: Any, admin_url: str) -> None:
    admin.get(f"/v1/jobs?{'x' * 10}=1")
    Api(admin.base_url, make_token(tenant, role="viewer")).post("/v1/jobs", {"type": "test"})
    rows = AuditLog._base_manager.using(engine_db.ALIAS).filter(tenant_id=tenant.id)
    wait_for(rows.exists, what="the refusal in the chain")

    with psycopg.connect(admin_url) as superuser:
        superuser.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.errors.CheckViolation):
            superuser.execute("UPDATE audit_logs SET seq = -5 WHERE tenant_id = %s", [tenant.id])


@pytest.mark.requirement("streams:refusals")
def test_a_stream_asks_who_is_there_before_it_says_what_is_wrong(api: Api, tenant: Any) -> None:
    nobody = Api(api.base_url)
    job_id = api.submit("test")

    assert nobody.get(f"/v1/jobs/{job_id}/events", Last_Event_ID="x").status == 401
    assert nobody.get(f"/v1/jobs/{job_id}/events?retry_ms=1", Accept="image/png").status == 401
    assert api.get(f"/v1/jobs/{job_id}/events", Last_Event_ID="x").status == 400


@pytest.mark.requirement("identity:sign-in")
def test_a_grant_nobody_offers_is_refused(api_url: str) -> None:
    form = b"grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=cineca-cli"

    answer = Api(api_url).post("/oidc/token", form, Content_Type="application/x-www-form-urlencoded")

    assert (answer.status, answer.json["error"]) == (400, "unsupported_grant_type")
