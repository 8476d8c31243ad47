"""user.profile: one's own, bounded, and without rights."""

from typing import Any

import pytest

from apps.identity import rbac
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant, UserProfile
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:user")


def profile(principal: Principal, action: str, said: dict[str, Any] | None = None) -> dict[str, Any]:
    return result(principal, "user.profile", {"action": action, **({} if said is None else {"profile": said})})


def error_of(principal: Principal, action: str, said: dict[str, Any]) -> dict[str, Any]:
    outcome = call(principal, "user.profile", {"action": action, "profile": said})
    assert outcome.error is not None, outcome.result
    return outcome.error


def kept(tenant: Tenant) -> dict[str, Any]:
    with tenant_scope(tenant.id):
        return dict(UserProfile.objects.values_list("owner_sub", "profile"))


def test_a_profile_is_kept_changed_and_deleted(tenant: Tenant, principal: Principal) -> None:
    none = profile(principal, "get")
    first = profile(principal, "set", {"language": "it", "units": {"length": "bp", "mass": "kDa"}})
    changed = profile(principal, "update", {"units": {"mass": None}, "genes": ["BRCA1"]})
    again = profile(principal, "update", {"genes": ["BRCA1"]})
    replaced = profile(principal, "set", {"language": "en"})
    in_store = kept(tenant)
    deleted = [profile(principal, "delete")["deleted"] for _ in range(2)]

    assert (none["exists"], none["profile"], none["version"]) == (False, {}, 0)
    assert first["profile"] == {"language": "it", "units": {"length": "bp", "mass": "kDa"}}
    assert changed["profile"] == {"language": "it", "units": {"length": "bp"}, "genes": ["BRCA1"]}
    assert again["version"] == changed["version"]  # it changed nothing
    assert (replaced["profile"], in_store) == ({"language": "en"}, {principal.sub: {"language": "en"}})
    assert (deleted, kept(tenant)) == ([True, False], {})


def test_each_person_of_each_tenant_has_its_own(tenant: Tenant, principal: Principal) -> None:
    colleague = make_principal(tenant)
    namesake = make_principal(make_tenant(), sub=principal.sub)
    for person, name in ((principal, "a"), (colleague, "b"), (namesake, "c")):
        profile(person, "set", {"name": name})
    profile(namesake, "delete")

    found = [profile(person, "get")["profile"] for person in (principal, colleague, namesake)]

    assert found == [{"name": "a"}, {"name": "b"}, {}]


@pytest.mark.requirement("security:46")
@pytest.mark.parametrize(
    "said",
    [
        {"role": "admin"}, {"roles": ["admin"]}, {"Roles": ["admin"]}, {"ROLE": 1}, {"scopes": ["admin:all"]},
        {"is_admin": True}, {"isAdmin": True}, {"is-superuser": True}, {"permissions": []}, {"tenant_id": "x"},
        {"sub": "another"}, {"more": {"deep": [{"roles": ["admin"]}]}},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("action", ["set", "update"])
def test_a_profile_holds_no_rights(tenant: Tenant, principal: Principal, action: str, said: dict[str, Any]) -> None:
    before = rbac.permissions_of(principal)

    error = error_of(principal, action, said)

    assert (error["code"], error["http_status"]) == ("rights_in_profile", 403)
    assert (kept(tenant), rbac.permissions_of(principal)) == ({}, before)


def test_a_profile_is_bounded(tenant: Tenant, principal: Principal) -> None:
    deep: Any = {}
    for _ in range(12):
        deep = {"a": deep}
    profile(principal, "set", {"text": "x" * 16_000})

    errors = [
        error_of(principal, "set", {"text": "x" * 16_400}),
        error_of(principal, "update", {"more": "x" * 1_000}),  # together it is too much
        error_of(principal, "set", deep),
    ]

    assert [error["code"] for error in errors] == ["profile_not_storable", "profile_not_storable", "profile_too_deep"]
    assert kept(tenant) == {principal.sub: {"text": "x" * 16_000}}


@pytest.mark.requirement("security:62")
@pytest.mark.parametrize("text", ["'; DROP TABLE user_profiles", "<script>", "{{7*7}}", "\u202e", "😀", "NaN", "null"])
def test_any_text_is_kept_as_it_is(tenant: Tenant, principal: Principal, text: str) -> None:
    profile(principal, "set", {"note": text, text: 1})

    assert kept(tenant) == {principal.sub: {"note": text, text: 1}}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "set"},
        {"action": "update"},
        {"action": "get", "profile": {}},
        {"action": "delete", "profile": {}},
        {"action": "set", "profile": []},
        {"action": "set", "profile": {"a": "b\0"}},
        {"action": "set", "profile": {}, "sub": "another"},
        {"action": "steal"},
    ],
)
def test_what_does_not_fit_is_refused(principal: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, "user.profile", arguments)


def test_who_may_not_write_reads_at_most(tenant: Tenant) -> None:
    guest, viewer = make_principal(tenant, "guest"), make_principal(tenant, "viewer")

    with pytest.raises(ForbiddenError):
        call(guest, "user.profile", {"action": "set", "profile": {"a": 1}})
    with pytest.raises(ForbiddenError):
        call(viewer, "user.profile", {"action": "get"})
    assert profile(guest, "get")["exists"] is False
