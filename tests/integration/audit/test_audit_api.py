"""GET /v1/admin/audit, its export and its proof, as auditors and administrators use them."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from apps.audit import trail
from apps.audit.models import PLATFORM_CHAIN, AuditLog
from kernel import engine_db
from kernel.request_context import RequestContext, request_context
from kernel.tenant_context import tenant_scope
from tests.clients import Api, wait_for
from tests.factories import make_tenant, make_token

AUDIT = "/v1/admin/audit"


@pytest.fixture
def rows(tenant: Any) -> None:
    """Twelve acts of two people, beside `tenant.created`."""
    for number in range(12):
        with request_context(RequestContext(correlation_id=f"corr-{number % 3}")), tenant_scope(tenant.id):
            trail.record(
                tenant_id=tenant.id,
                actor="ada" if number % 2 else "bob",
                action="tool.changed" if number < 4 else "tool.invoked" if number < 8 else "toolbox.opened",
                resource_type="tool",
                resource_id=str(number),
                outcome="failed" if number == 5 else "success",
                details={"number": number, "1.50": 1.5},
            )


@pytest.fixture
def auditor(api_url: str, tenant: Any) -> Api:
    return Api(api_url, make_token(tenant, role="auditor"))


@pytest.fixture
def platform_admin(api_url: str) -> Api:
    """An administrator of the tenant that administers the platform."""
    from apps.tenancy.selectors import tenant_by_slug

    demo = tenant_by_slug("demo")
    assert demo is not None
    return Api(api_url, make_token(demo, role="admin", sub="root"))


def actions(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["action"] for item in answer.json["items"]]


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [item["resource_id"] for item in answer.json["items"]]


@pytest.mark.requirement("audit:list")
@pytest.mark.usefixtures("rows")
def test_the_log_is_shown_newest_first_with_the_names_old_clients_know(auditor: Api, tenant: Any) -> None:
    answer = auditor.get(f"{AUDIT}?limit=50")

    assert ids(answer) == [*map(str, range(11, -1, -1)), str(tenant.id)]
    newest = answer.json["items"][0]
    assert (newest["seq"], newest["tenant_id"]) == (13, str(tenant.id))
    assert (newest["timestamp"], newest["user_id"], newest["success"]) == (newest["created_at"], newest["actor"], True)
    assert newest["prev_hash"] == answer.json["items"][1]["hash"]
    assert (answer.json["total"], answer.json["has_more"]) == (13, False)


@pytest.mark.requirement("audit:list")
@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("action=tool.changed", "3210"),
        ("action=tool.*", "76543210"),
        ("action=tool_*", ""),
        ("action=tool*&actor=ada&until=2999-01-01T00:00:00Z", ["11", "9", "7", "5", "3", "1"]),
        ("resource_id=5", "5"),
        ("resource_type=tool&outcome=failed", "5"),
        ("correlation_id=corr-1&action=tool.*", "741"),
        ("since=2999-01-01T00:00:00Z", ""),
        ("until=2001-01-01T00:00:00%2B01:00", ""),
    ],
)
def test_filters_narrow_the_list(auditor: Api, query: str, expected: str | list[str]) -> None:
    assert ids(auditor.get(f"{AUDIT}?limit=50&{query}")) == list(expected)


@pytest.mark.requirement("audit:list")
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("nonsense=1", "unknown_parameter"),
        ("ordering=seq", "unknown_parameter"),
        ("actor__startswith=a", "unknown_parameter"),
        ("outcome=perhaps", "invalid_filter"),
        ("since=yesterday", "invalid_filter"),
        ("since=2026-01-01T00:00:00", "invalid_filter"),
        ("action=t*l", "invalid_filter"),
        ("actor=%00", "suspicious_input"),
        ("actor=a&actor=b", "invalid_filter"),
        ("limit=51", "invalid_limit"),
        ("page_token=x", "invalid_cursor"),
    ],
)
def test_what_cannot_be_meant_is_refused(auditor: Api, query: str, code: str) -> None:
    answer = auditor.get(f"{AUDIT}?{query}")

    assert (answer.status, answer.json["code"]) == (400, code)


@pytest.mark.requirement("audit:list")
@pytest.mark.usefixtures("rows")
def test_pages_show_each_row_once_although_others_are_written_meanwhile(auditor: Api, admin: Api, tenant: Any) -> None:
    seen: list[str] = []
    token = ""
    while True:
        answer = auditor.get(f"{AUDIT}?limit=5&action=tool*{token}")
        seen += ids(answer)
        with tenant_scope(tenant.id):
            trail.record(tenant_id=tenant.id, actor="eve", action="tool.late")
        if not answer.json["has_more"]:
            break
        token = f"&page_token={answer.json['next_page_token']}"
    elsewhere = admin.get(f"{AUDIT}?limit=5&action=tool*{token}")

    assert seen == [str(number) for number in range(11, -1, -1)]
    assert (elsewhere.status, elsewhere.json["code"]) == (400, "invalid_cursor")


@pytest.mark.requirement("audit:readers")
@pytest.mark.parametrize("path", [AUDIT, f"{AUDIT}/export", f"{AUDIT}/verify"])
def test_auditors_and_administrators_read_nobody_else_does(api_url: str, tenant: Any, path: str) -> None:
    answers = {
        role: Api(api_url, make_token(tenant, role=role)).get(path).status
        for role in (
            "admin",
            "auditor",
            "operator",
            "user",
            "viewer",
            "researcher",
            "curator",
            "data_engineer",
            "guest",
        )
    }

    assert {role for role, status in answers.items() if status == 200} == {"admin", "auditor"}
    assert set(answers.values()) == {200, 403}
    assert Api(api_url).get(path).status == 401


@pytest.mark.requirement("audit:platform")
@pytest.mark.usefixtures("rows")
def test_administrators_of_the_platform_read_any_chain_and_the_tenant_sees_that(
    platform_admin: Api, auditor: Api, tenant: Any
) -> None:
    by_slug = platform_admin.get(f"{AUDIT}?tenant={tenant.slug}&resource_id=3")
    by_id = platform_admin.get(f"{AUDIT}?tenant={tenant.id}&resource_id=3")
    of_platform = platform_admin.get(f"{AUDIT}?tenant=platform&limit=1")
    proof = platform_admin.get(f"{AUDIT}/verify?tenant={tenant.slug}")
    unknown = platform_admin.get(f"{AUDIT}?tenant=no-such-tenant")

    assert ids(by_slug) == ids(by_id) == ["3"]
    assert of_platform.status == 200
    assert all(item["tenant_id"] is None for item in of_platform.json["items"])
    assert proof.json["ok"] is True
    assert (unknown.status, unknown.json["code"]) == (404, "tenant_not_found")
    looks = wait_for(
        lambda: [item for item in auditor.get(f"{AUDIT}?action=audit.*").json["items"] if item["actor"] == "root"],
        what="the look showing in the tenant's chain",
    )  # fmt: skip
    assert looks[0]["actor_tenant_id"] not in (None, str(tenant.id))


@pytest.mark.requirement("audit:platform")
@pytest.mark.parametrize("path", [AUDIT, f"{AUDIT}/export", f"{AUDIT}/verify"])
def test_nobody_else_names_a_chain(admin: Api, auditor: Api, path: str) -> None:
    other = make_tenant()

    answers = [
        caller.get(f"{path}?tenant={name}")
        for caller in (admin, auditor)
        for name in (other.slug, other.id, "platform", "no-such-tenant")
    ]

    assert {(answer.status, answer.json["code"]) for answer in answers} == {(403, "platform_admin_required")}


@pytest.mark.requirement("audit:export")
@pytest.mark.usefixtures("rows")
def test_the_export_is_complete_ends_with_itself_and_can_be_checked_elsewhere(auditor: Api, tenant: Any) -> None:
    answer = auditor.get(f"{AUDIT}/export")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    lines = answer.body.decode().splitlines()
    parsed = [json.loads(line) for line in lines]
    assert [row["seq"] for row in parsed] == list(range(1, 15))
    assert parsed[-1]["action"] == "audit.exported"
    before = "00" * 32
    for line, row in zip(lines, parsed, strict=True):  # as docs/operations/audit.md says, with nothing of the platform
        assert row["prev_hash"] == before
        before = row["hash"]
        assert hashlib.sha256(canonical_text(line, row).encode()).hexdigest() == row["hash"]


def canonical_text(line: str, row: dict[str, Any]) -> str:
    from datetime import UTC, datetime, timedelta

    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    created_at_us = (datetime.fromisoformat(row["created_at"]) - epoch) // timedelta(microseconds=1)
    nil = "00000000-0000-0000-0000-000000000000"
    names = ("actor", "actor_tenant_id", "action", "resource_type", "resource_id", "outcome")
    before = [1, row["tenant_id"] or nil, row["seq"], row["prev_hash"], row["id"], created_at_us, *map(row.get, names)]
    after = [row[name] or "" for name in ("error_message", "request_id", "correlation_id", "trace_id", "client_ip")]
    details = line[line.index(',"details":') + len(',"details":') : -1]
    head, tail = json.dumps(before, ensure_ascii=False), json.dumps(after, ensure_ascii=False)
    return f"{head[:-1]}, {details}, {tail[1:]}"


@pytest.mark.requirement("audit:export")
@pytest.mark.usefixtures("rows")
def test_an_export_can_be_narrowed_and_says_by_what_in_its_row(admin: Api) -> None:
    answer = admin.get(f"{AUDIT}/export?action=tool.invoked&outcome=failed")
    trace = admin.get(f"{AUDIT}?action=audit.exported").json["items"]

    assert [json.loads(line)["resource_id"] for line in answer.body.splitlines()] == ["5"]
    assert [row["details"] for row in trace] == [{"filters": {"action": "tool.invoked", "outcome": "failed"}}]
    assert admin.get(f"{AUDIT}/export?limit=5").status == 400


@pytest.mark.requirement("audit:export")
def test_an_export_of_more_than_one_batch_misses_nothing(admin: Api, tenant: Any) -> None:
    with tenant_scope(tenant.id):
        for _ in range(1200):
            trail.record(tenant_id=tenant.id, actor="ada", action="thing.done")

    answer = admin.get(f"{AUDIT}/export")

    assert [json.loads(line)["seq"] for line in answer.body.splitlines()] == list(range(1, 1203))


@pytest.mark.requirement("audit:verify-route")
@pytest.mark.usefixtures("rows")
def test_the_callers_chain_is_proved_in_whole_or_in_part(auditor: Api) -> None:
    whole, part = auditor.get(f"{AUDIT}/verify"), auditor.get(f"{AUDIT}/verify?from_seq=3&to_seq=5")
    wrong = auditor.get(f"{AUDIT}/verify?from_seq=0")

    assert whole.json["ok"] is whole.json["complete"] is True
    assert (whole.json["checked"], whole.json["head"]["seq"], whole.json["first_broken"]) == (13, 13, None)
    assert (part.json["ok"], part.json["checked"]) == (True, 3)
    assert wrong.status == 400


@pytest.mark.requirement("audit:verify-route")
@pytest.mark.usefixtures("rows")
def test_a_broken_chain_is_shown_with_its_first_link(auditor: Api, tenant: Any, superuser: Any) -> None:
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute("UPDATE audit_logs SET actor = 'x' WHERE tenant_id = %s AND seq = 4", [tenant.id])

    answer = auditor.get(f"{AUDIT}/verify").json

    assert (answer["ok"], answer["checked"]) == (False, 3)
    assert (answer["first_broken"]["seq"], answer["first_broken"]["fault"]) == (4, "hash_mismatch")


@pytest.mark.requirement("audit:jobs")
def test_who_stops_or_repeats_anothers_job_leaves_a_row_and_ones_own_does_not(
    admin: Api, api: Api, principal: Any, auditor: Api
) -> None:
    job_id = api.submit("demo", {"duration_ms": 20_000})

    assert admin.delete(f"/v1/jobs/{job_id}").status == 202
    admin.wait_until(job_id, "cancelled")
    again = admin.post(f"/v1/jobs/{job_id}/retry")
    assert again.status == 202, again.body
    assert admin.delete(f"/v1/jobs/{again.json['id']}").status == 202

    items = auditor.get(f"{AUDIT}?action=job.*").json["items"]
    assert [item["action"] for item in items] == ["job.retried_by_admin", "job.cancelled_by_admin"]
    assert {item["resource_id"] for item in items} == {job_id}
    assert items[0]["details"] == {"owner": principal.sub, "type": "demo", "new_job_id": again.json["id"]}


@pytest.mark.requirement("audit:sign-in")
def test_failed_sign_ins_and_refused_clients_are_in_the_platforms_chain(
    cli_sign_in: Callable[..., Any], api_url: str
) -> None:
    failed, succeeded, user = cli_sign_in()
    assert (failed.status_code, succeeded.status_code) == (200, 302)

    refused = Api(api_url).request(
        "POST", "/oidc/token", b"grant_type=authorization_code&client_id=no-such-client&code=x",
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert refused.status in (400, 401)

    def seen() -> list[AuditLog]:
        platform = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=PLATFORM_CHAIN)
        return list(platform.filter(resource_id__in=[user.username, "no-such-client"]).order_by("seq"))

    found = wait_for(lambda: len(rows := seen()) == 2 and rows, what="both rows")
    assert {row.action for row in found} == {"auth.login_failed", "auth.token_refused"}
    assert all(row.outcome == "denied" and row.correlation_id and row.client_ip for row in found)
    with tenant_scope(user.tenant_id):
        [entered] = AuditLog.objects.filter(tenant_id=user.tenant_id, action="auth.login")
    assert (entered.actor, entered.success) == (str(user.pk), True)
