"""errors.report: what is kept, what is taken out before it is, and who sees and clears it."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from apps.identity.principal import Principal
from apps.ops import reports, retention
from apps.ops.models import ErrorReport
from apps.tools.errors import ReadOnly
from kernel import engine_db
from kernel.clock import now
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:errors")
TOOL = "errors.report"


def record(principal: Principal, message: str = "It took too long.", **more: Any) -> dict[str, Any]:
    given = {"action": "record", "error_type": "Timeout", "message": message, **more}
    report: dict[str, Any] = result(principal, TOOL, given)["report"]
    return report


def listed(principal: Principal, **more: Any) -> list[str]:
    return [one["error_id"] for one in result(principal, TOOL, {"action": "list", **more})["reports"]]


def test_a_report_is_kept_and_shown_to_who_made_it(principal: Principal) -> None:
    made = record(principal, metadata={"step": 3})

    shown = result(principal, TOOL, {"action": "get", "error_id": made["error_id"]})["report"]

    assert shown == made
    assert (shown["message"], shown["metadata"], shown["reported_by"]) == (
        "It took too long.", {"step": 3}, principal.sub,
    )  # fmt: skip
    with tenant_scope(principal.tenant_id):
        assert ErrorReport.objects.get(id=made["error_id"]).error_type == "Timeout"


def test_secrets_and_personal_data_are_not_kept(principal: Principal) -> None:
    made = record(
        principal,
        "ada@example.org was refused with Bearer abcdefgh12345678.",
        metadata={"api_key": "s3cr3t-value", "who": "call +39 06 1234 5678"},
    )

    with tenant_scope(principal.tenant_id):
        row = ErrorReport.objects.get(id=made["error_id"])
    kept = f"{row.message} {row.metadata}"

    assert not any(secret in kept for secret in ("ada@example.org", "abcdefgh12345678", "s3cr3t-value", "1234 5678"))
    assert "was refused" in row.message


def test_a_repeat_of_the_same_call_records_once(principal: Principal) -> None:
    report_id, said = uuid4(), reports.Reported("Timeout", "Once.")

    first, is_new = reports.record(principal, report_id, said)
    second, is_new_again = reports.record(principal, report_id, said)

    assert (is_new, is_new_again, first.id) == (True, False, second.id)
    key = f"k-{uuid4()}"
    twice = [call(principal, TOOL, {"action": "record", "error_type": "A", "message": "m"}, idempotency_key=key)
             for _ in range(2)]  # fmt: skip
    assert twice[0].result == twice[1].result
    assert len(listed(principal)) == 2


def test_the_newest_stand_first_and_can_be_narrowed(principal: Principal) -> None:
    old, new = record(principal)["error_id"], record(principal, error_type="Other")["error_id"]

    assert listed(principal) == [new, old]
    assert listed(principal, error_type="Other") == [new]
    assert listed(principal, limit=1) == [new]
    assert listed(principal, since=(now() + timedelta(hours=1)).isoformat()) == []


def test_users_see_their_own_and_administrators_the_tenants(tenant: Any) -> None:
    user, colleague, admin = make_principal(tenant), make_principal(tenant), make_principal(tenant, "admin")
    stranger = make_principal(make_tenant(), "admin")
    made = record(user)["error_id"]

    assert (listed(user), listed(colleague), listed(admin), listed(stranger)) == ([made], [], [made], [])
    for other in (colleague, stranger):
        for action in ("get", "clear"):
            refused = call(other, TOOL, {"action": action, "error_id": made})
            assert refused.error is not None
            assert (refused.error["code"], refused.http_status) == ("error_report_not_found", 404)


def test_what_is_cleared_is_listed_no_more_and_nothing_is_deleted(tenant: Any) -> None:
    user, admin = make_principal(tenant), make_principal(tenant, "admin")
    one, two = record(user)["error_id"], record(user)["error_id"]

    first = result(admin, TOOL, {"action": "clear", "error_id": one})["cleared"]
    left = listed(user)
    rest = result(user, TOOL, {"action": "clear"})["cleared"]

    assert (first, left, rest, listed(user)) == (1, [two], 1, [])
    assert listed(user, include_cleared=True) == [two, one]
    assert result(user, TOOL, {"action": "get", "error_id": one})["report"]["cleared_by"] == admin.sub


def test_others_reports_are_not_cleared_with_ones_own(tenant: Any) -> None:
    user, colleague = make_principal(tenant), make_principal(tenant)
    made = record(colleague)["error_id"]

    assert result(user, TOOL, {"action": "clear"})["cleared"] == 0
    assert listed(colleague) == [made]


def test_old_reports_go(principal: Principal, admin_url: str, settings: Any) -> None:
    old, new = record(principal)["error_id"], record(principal)["error_id"]
    with tenant_scope(principal.tenant_id):
        age = now() - timedelta(days=settings.JOB_RETENTION_DAYS + 1)
        ErrorReport.objects.filter(id=old).update(created_at=age)

    assert retention.clean() >= 1
    with engine_db.cursor() as cursor:
        cursor.execute("SELECT id::text FROM error_reports WHERE tenant_id = %s", [principal.tenant_id])
        assert cursor.fetchall() == [(new,)]


@pytest.mark.parametrize(
    "given",
    [{}, {"action": "drop"}, {"action": "record", "error_type": "two words", "message": "m"},
     {"action": "record", "error_type": "A", "message": "m" * 4001}, {"action": "list", "limit": 0},
     {"action": "list", "since": "2026-01-01T00:00:00"}, {"action": "list", "since": "9999-12-31T23:59:59-15:00"}],
    ids=["nothing", "unknown-action", "type", "long", "limit", "no-offset", "year"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(principal: Principal, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, TOOL, given)


@pytest.mark.parametrize(
    ("given", "code"),
    [({"action": "record", "message": "m"}, "report_incomplete"), ({"action": "get"}, "error_id_missing"),
     ({"action": "get", "error_id": str(uuid4())}, "error_report_not_found"),
     ({"action": "record", "error_type": "A", "message": "m", "metadata": {"x": ["y" * 1900] * 6}},
      "metadata_too_large")],
    ids=["half", "no-id", "unknown-id", "metadata"],
)  # fmt: skip
def test_what_cannot_be_done_is_said(principal: Principal, given: dict[str, Any], code: str) -> None:
    failed = call(principal, TOOL, given)

    assert failed.error is not None
    assert failed.error["code"] == code


def test_a_viewer_may_not_and_a_token_that_only_reads_only_reads(tenant: Any, principal: Principal) -> None:
    reader = Principal(principal.sub, tenant.id, principal.roles, frozenset({"read", "tools:invoke"}))

    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), TOOL, {"action": "list"})
    with pytest.raises(ForbiddenError):
        record(reader)
    with pytest.raises(ReadOnly):
        call(principal, TOOL, {"action": "clear"}, read_only=True)
    assert listed(reader) == []
