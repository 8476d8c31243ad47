"""Layer 7, alone and in its place: what leaves, in which mode, how large, and what is noted of it."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from apps.audit.writer import writer
from apps.edge import output_guard
from apps.edge.output_guard import OutputGuard, cut_page
from apps.tenancy.config import TenantConfig, TenantSettings
from apps.tenancy.services import change_tenant
from tests.clients import Api, wait_for
from tests.factories import make_token
from tests.integration.audit.chains import rows_of

ADDRESS, CARD = "mario.rossi@example.com", "4111 1111 1111 1111"


def request_of(mode: str | None = None, route: str = "v1/things") -> HttpRequest:
    """A request as layer 5 leaves it."""
    request: Any = RequestFactory().get("/v1/things")
    request.resolver_match = SimpleNamespace(route=route)
    request.principal = None
    if mode:
        settings = TenantSettings.model_validate({"pii_mode": mode})
        request.tenant_config = TenantConfig(tenant_id=uuid4(), slug="t", status="active", settings=settings)
    return request  # type: ignore[no-any-return]


def answered(body: Any, *, mode: str | None = None, route: str = "v1/things", **headers: str) -> HttpResponseBase:
    """What the layer makes of an answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = HttpResponse(content, content_type=headers.pop("content_type", "application/json"), headers=headers)
    response["Content-Length"] = str(len(content))
    return OutputGuard(lambda request: response)(request_of(mode, route))


@pytest.mark.requirement("guards:tenant-mode")
@pytest.mark.parametrize(
    ("mode", "shown"),
    [
        (None, {"to": "[REDACTED]", "card": "4111********1111"}),
        ("mask", {"to": "[REDACTED]", "card": "4111********1111"}),
        ("remove", {"to": "", "card": ""}),
        ("off", {"to": ADDRESS, "card": CARD}),
    ],
)
def test_the_tenants_mode_decides_and_without_a_tenant_it_is_mask(mode: str | None, shown: dict[str, str]) -> None:
    response = answered({"to": ADDRESS, "card": CARD}, mode=mode)

    assert json.loads(response.getvalue()) == shown
    assert response.get("X-PII-Redacted") == (None if mode == "off" else "2")
    assert response["Content-Length"] == str(len(response.getvalue()))


@pytest.mark.requirement("guards:answers")
def test_an_answer_with_nothing_personal_is_not_touched() -> None:
    response = answered(b'{ "a" : 1.50 }', ETag='"abc"')

    assert response.getvalue() == b'{ "a" : 1.50 }'
    assert "X-PII-Redacted" not in response
    assert response["ETag"] == '"abc"'


@pytest.mark.requirement("guards:answers")
def test_problems_are_scrubbed_and_other_media_are_not() -> None:
    problem = answered({"detail": f"no {ADDRESS}"}, content_type="application/problem+json")
    page = answered(ADDRESS.encode(), content_type="text/plain")

    assert json.loads(problem.getvalue()) == {"detail": "no [REDACTED]"}
    assert page.getvalue() == ADDRESS.encode()


@pytest.mark.requirement("guards:answers")
def test_lines_are_scrubbed_one_by_one_however_they_are_cut() -> None:
    lines = b"".join(json.dumps({"n": n, "to": ADDRESS}).encode() + b"\n" for n in range(50))

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(lines), 7):
            yield lines[start : start + 7]

    response = StreamingHttpResponse(pieces(), content_type="application/x-ndjson")
    guarded = OutputGuard(lambda request: response)(request_of("mask"))

    assert [json.loads(line) for line in guarded.getvalue().splitlines()] == [
        {"n": n, "to": "[REDACTED]"} for n in range(50)
    ]


@pytest.mark.requirement("guards:size")
def test_a_page_above_the_limit_keeps_the_items_that_fit_and_says_so(settings: Any) -> None:
    settings.MAX_RESPONSE_BYTES = 4096
    page = {"items": [{"n": n, "text": "x" * 100} for n in range(100)], "total": 100, "next_page_token": "t"}

    response = answered(page)
    body = json.loads(response.getvalue())

    assert len(response.getvalue()) <= 4096
    assert response["X-Content-Truncated"] == "true"
    assert response["Content-Length"] == str(len(response.getvalue()))
    assert body["truncated"] is True and "smaller limit" in body["truncated_reason"]
    assert body["items"] == page["items"][: len(body["items"])]  # type: ignore[index]
    assert len(body["items"]) + body["items_omitted"] == 100
    assert len(body["items"]) > 20


@pytest.mark.requirement("guards:size")
def test_another_answer_above_the_limit_is_refused_with_advice(settings: Any) -> None:
    settings.MAX_RESPONSE_BYTES = 4096

    response = answered({"result": "x" * 5000}, ETag='"abc"')
    body = json.loads(response.getvalue())

    assert (response.status_code, body["code"]) == (500, "response_too_large")
    assert "smaller page" in body["detail"]
    assert response["X-Content-Truncated"] == "true" and "ETag" not in response


@pytest.mark.requirement("guards:size")
def test_a_page_whose_first_item_does_not_fit_is_refused() -> None:
    assert cut_page(json.dumps({"items": ["x" * 5000]}).encode(), 1000) is None
    assert cut_page(b"[1,2,3]", 4) is None


@pytest.mark.requirement("guards:audit")
def test_redactions_of_a_route_leave_one_audit_line_a_second(
    tenant: Any, principal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_guard, "NOTES", output_guard.Notes())
    route = f"v1/things/{uuid4().hex}"

    for _ in range(20):
        output_guard.NOTES.add(principal, route, {"email": 1})
    writer.flush(5)
    rows = [row for row in rows_of(tenant.id) if row.action == "output.redacted"]

    assert [(row.resource_id, row.details) for row in rows] == [(route, {"redacted": {"email": 1}})]
    assert output_guard.NOTES._pending[(str(tenant.id), route)][1] == {"email": 19}


@pytest.mark.requirement("guards:tenant-mode")
def test_a_payload_is_masked_for_its_owner_until_the_tenant_says_otherwise(api: Api, tenant: Any) -> None:
    payload = {"duration_ms": 0, "note": f"tell {ADDRESS}", "password": "x"}
    job_id = api.submit("test", payload)

    masked = api.get(f"/v1/jobs/{job_id}")
    change_tenant(tenant.id, {"settings": {"pii_mode": "off"}}, by=None)
    shown = wait_for(
        lambda: (answer := api.get(f"/v1/jobs/{job_id}")).json["payload"] == payload and answer,
        what="the tenant's mode being believed",
    )

    assert masked.json["payload"] == {"duration_ms": 0, "note": "tell [REDACTED]", "password": "[REDACTED]"}
    assert int(masked.headers["x-pii-redacted"]) == masked.body.count(b"[REDACTED]") >= 2
    assert "x-pii-redacted" not in shown.headers


@pytest.mark.requirement("guards:answers")
def test_a_caller_sees_the_own_address(api_url: str, tenant: Any) -> None:
    me = Api(api_url, make_token(tenant, sub=ADDRESS))
    job_id = me.submit("test")

    assert me.get("/v1/auth/me").json["sub"] == ADDRESS
    assert me.job(job_id)["owner_sub"] == ADDRESS


@pytest.mark.requirement("guards:audit")
def test_the_audit_line_carries_the_correlation_id(api: Api, admin: Api) -> None:
    job_id = api.submit("test", {"note": ADDRESS})
    api.get(f"/v1/jobs/{job_id}", X_Correlation_Id="redaction-of-this-test")

    def noted() -> Any:
        items = admin.get("/v1/admin/audit?action=output.redacted").json["items"]
        return [item for item in items if item["correlation_id"] == "redaction-of-this-test"]

    (line,) = wait_for(noted, what="the audit line")
    assert set(line["details"]["redacted"]) == {"email"}  # once, and again in the result if the job has ended
    assert ADDRESS not in json.dumps(line)


@pytest.mark.requirement("guards:events")
@pytest.mark.usefixtures("worker")
def test_events_are_scrubbed_like_answers(api: Api) -> None:
    # The predecessor's clients read the result from the end event; a job's own text is in it.
    job_id = api.submit("test", {"should_fail": True, "note": ADDRESS})
    api.wait_until(job_id, "failed")

    streamed = json.dumps([event.data for event in api.events(job_id)])

    assert ADDRESS not in streamed
    assert (
        output_guard.scrub_event(
            json.dumps({"message": ADDRESS}).encode(), principal=None, config=None, route="v1/jobs/<str:job_id>/events"
        )
        == b'{"message":"[REDACTED]"}'
    )
