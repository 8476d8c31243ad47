"""privacy.consent: facts that stay, of which the latest counts; others' only with the right."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.audit.models import AuditLog
from apps.identity.principal import Principal
from apps.tenancy.models import Consent, Tenant
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import prepared_cursor, tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:privacy")


def consent(principal: Principal, action: str, **arguments: Any) -> dict[str, Any]:
    return result(principal, "privacy.consent", {"action": action, **arguments})


def error_of(principal: Principal, action: str, **arguments: Any) -> dict[str, Any]:
    outcome = call(principal, "privacy.consent", {"action": action, **arguments})
    assert outcome.error is not None, outcome.result
    return outcome.error


def facts(tenant: Tenant) -> list[Consent]:
    with tenant_scope(tenant.id):
        return list(Consent.objects.order_by("recorded_at"))


def test_the_latest_fact_counts_and_all_of_them_stay(tenant: Tenant, principal: Principal) -> None:
    steps = ["check", "record", "check", "revoke", "check", "record", "check"]

    consented = [consent(principal, action, purpose="research")["consented"] for action in steps]
    listed = consent(principal, "list")

    assert consented == [False, True, True, False, False, True, True]
    assert [fact["granted"] for fact in listed["facts"]] == [True, False, True]
    assert [row.is_granted for row in facts(tenant)] == [True, False, True]
    assert {(row.subject_id, row.recorded_by) for row in facts(tenant)} == {(principal.sub, principal.sub)}


def test_a_fact_says_when_by_whom_and_how(principal: Principal) -> None:
    said = consent(principal, "record", purpose="research", meta={"text": "v2", "asked": ["email"]})

    latest = consent(principal, "check", purpose="research")["latest"]

    assert latest == said["latest"]
    assert (latest["granted"], latest["recorded_by"], latest["meta"]) == (
        True, principal.sub, {"text": "v2", "asked": ["email"]},
    )  # fmt: skip
    assert latest["recorded_at"].endswith("Z")


def test_each_purpose_is_agreed_to_for_itself(principal: Principal) -> None:
    consent(principal, "record", purpose="research")

    assert consent(principal, "check", purpose="teaching")["consented"] is False
    assert consent(principal, "check", purpose="Research")["consented"] is False
    assert [fact["purpose"] for fact in consent(principal, "list", purpose="research")["facts"]] == ["research"]
    assert consent(principal, "list", purpose="teaching")["facts"] == []


def test_a_list_is_cut_where_it_says_so(principal: Principal) -> None:
    for number in range(3):
        consent(principal, "record", purpose=f"p{number}")

    listed = consent(principal, "list", limit=2)

    assert ([fact["purpose"] for fact in listed["facts"]], listed["has_more"]) == (["p2", "p1"], True)


def test_a_repeat_with_its_key_is_one_fact(tenant: Tenant, principal: Principal) -> None:
    asked = {"action": "record", "purpose": "research"}

    for key in ("k", "k", "other"):
        call(principal, "privacy.consent", asked, idempotency_key=f"{key}-{principal.sub}")

    assert len(facts(tenant)) == 2


@pytest.mark.parametrize("role", ["researcher", "admin"])
def test_who_manages_consents_speaks_for_others(tenant: Tenant, role: str) -> None:
    manager, subject = make_principal(tenant, role), make_principal(tenant)

    consent(manager, "record", purpose="trial", subject_id=subject.sub)

    assert consent(subject, "check", purpose="trial")["latest"]["recorded_by"] == manager.sub
    assert consent(subject, "revoke", purpose="trial")["consented"] is False
    assert consent(manager, "check", purpose="trial", subject_id=subject.sub)["consented"] is False


@pytest.mark.parametrize("action", ["record", "revoke", "check", "list"])
@pytest.mark.parametrize("role", ["user", "curator", "operator"])
def test_others_cannot_be_spoken_for_or_looked_at(tenant: Tenant, role: str, action: str) -> None:
    subject = make_principal(tenant)
    consent(subject, "record", purpose="trial")

    error = error_of(make_principal(tenant, role), action, purpose="trial", subject_id=subject.sub)
    unknown = error_of(make_principal(tenant, role), action, purpose="trial", subject_id="nobody")

    assert (error["code"], error["http_status"]) == ("not_your_consent", 403)
    assert error == unknown
    assert len(facts(tenant)) == 1


def test_an_auditor_looks_and_records_nothing(tenant: Tenant) -> None:
    subject, auditor = make_principal(tenant), make_principal(tenant, "auditor")
    consent(subject, "record", purpose="trial")

    assert consent(auditor, "check", purpose="trial", subject_id=subject.sub)["consented"] is True
    with pytest.raises(ForbiddenError):
        call(auditor, "privacy.consent", {"action": "revoke", "purpose": "trial", "subject_id": subject.sub})


def test_a_scope_without_the_role_speaks_for_nobody_else(tenant: Tenant, principal: Principal) -> None:
    armed = Principal(principal.sub, tenant.id, principal.roles, principal.scopes | {"privacy:*", "privacy:read"})

    assert error_of(armed, "record", purpose="trial", subject_id="patient-7")["code"] == "not_your_consent"
    assert error_of(armed, "check", purpose="trial", subject_id="patient-7")["code"] == "not_your_consent"


@pytest.mark.requirement("security:24")
def test_another_tenants_consents_are_not_there(tenant: Tenant, principal: Principal) -> None:
    consent(principal, "record", purpose="trial")
    stranger = make_principal(make_tenant(), "admin")

    assert consent(stranger, "check", purpose="trial", subject_id=principal.sub)["consented"] is False
    assert consent(stranger, "list", subject_id=principal.sub)["facts"] == []
    consent(stranger, "revoke", purpose="trial", subject_id=principal.sub)
    assert consent(principal, "check", purpose="trial")["consented"] is True


def test_what_was_said_cannot_be_changed(tenant: Tenant, principal: Principal) -> None:
    consent(principal, "record", purpose="trial")

    with pytest.raises(psycopg.errors.InsufficientPrivilege), tenant_scope(tenant.id):
        prepared_cursor().execute("UPDATE consents SET is_granted = false")
    with tenant_scope(tenant.id):
        gone = prepared_cursor().execute("DELETE FROM consents").rowcount

    assert gone == 0
    assert [row.is_granted for row in facts(tenant)] == [True]


def test_each_fact_is_audited_without_the_subject(tenant: Tenant) -> None:
    manager = make_principal(tenant, "researcher")

    consent(manager, "record", purpose="trial", subject_id=f"patient-{uuid4()}")

    with tenant_scope(tenant.id):
        row = AuditLog.objects.get(action="consent.granted")
    assert (row.actor, row.details) == (manager.sub, {"purpose": "trial", "own": False})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "record"},
        {"action": "check"},
        {"action": "record", "purpose": ""},
        {"action": "record", "purpose": "a\nb"},
        {"action": "record", "purpose": "x" * 101},
        {"action": "record", "purpose": "p", "subject_id": ""},
        {"action": "record", "purpose": "p", "subject_id": "x" * 256},
        {"action": "record", "purpose": "p", "meta": {"x": "y" * 5_000}},
        {"action": "record", "purpose": "p", "granted": True},
        {"action": "list", "limit": 201},
        {"action": "forget", "purpose": "p"},
    ],
)
def test_what_does_not_fit_is_refused(principal: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, "privacy.consent", arguments)


def test_who_may_not_write_records_nothing(tenant: Tenant) -> None:
    guest, viewer = make_principal(tenant, "guest"), make_principal(tenant, "viewer")

    with pytest.raises(ForbiddenError):
        call(guest, "privacy.consent", {"action": "record", "purpose": "p"})
    with pytest.raises(ForbiddenError):
        call(viewer, "privacy.consent", {"action": "check", "purpose": "p"})
    assert consent(guest, "check", purpose="p")["consented"] is False
