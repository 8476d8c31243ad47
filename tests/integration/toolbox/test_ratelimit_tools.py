"""ratelimit.manage: what is left of limits is shown and not counted; changing them stays in the tenant, and below its
ceiling."""

from typing import Any

import pytest

from apps.audit.models import AuditLog
from apps.edge.rate_limit import check_rate
from apps.identity.principal import Principal
from apps.identity.services import create_account
from apps.tenancy.models import Tenant
from apps.tenancy.resolver import tenant_config
from apps.tenancy.services import change_tenant
from kernel.errors import ForbiddenError, ValidationError
from kernel.redis_client import availability
from kernel.tenant_context import tenant_scope
from tests.clients import wait_for
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:ratelimit")
TOOL = "ratelimit.manage"


def ask(principal: Principal, times: int = 1) -> None:
    """Requests, as the edge counts them."""
    for _ in range(times):
        check_rate(principal, "GET", "/v1/jobs", tenant_config(principal.tenant_id))


def used(principal: Principal, scope: str = "user", **given: Any) -> int:
    limits = result(principal, TOOL, {"action": "get", **given})["limits"]
    return next(int(one["used"]) for one in limits if one["scope"] == scope)


def test_looking_shows_what_the_edge_counted_and_counts_nothing(principal: Principal, settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0
    ask(principal, 3)

    for _ in range(2):
        shown = {one["scope"]: one for one in result(principal, TOOL, {"action": "get"})["limits"]}

    assert (shown["user"]["used"], shown["user"]["limit"], shown["user"]["remaining"]) == (3, 600, 597)
    assert 0 < shown["user"]["reset_s"] <= 65
    assert (shown["user-runs"]["used"], shown["user-runs"]["reset_s"]) == (0, 0)


def test_calls_of_a_tool_are_counted_for_it(principal: Principal) -> None:
    for _ in range(2):
        call(principal, "system.time")

    assert used(principal, "tool", key="tool:system.time") == 2


@pytest.mark.parametrize(
    ("role", "sees_tenant", "sees_configured"),
    [("user", False, False), ("researcher", True, False), ("operator", True, True), ("admin", True, True),
     ("auditor", False, False)],
)  # fmt: skip
def test_a_role_sees_what_its_scopes_say(
    tenant: Tenant, role: str, *, sees_tenant: bool, sees_configured: bool
) -> None:
    caller = make_principal(tenant, role)
    ask(make_principal(tenant), 2)

    listed = result(caller, TOOL, {"action": "list"})
    tenants = {one["scope"]: one["used"] for one in listed["limits"] if one["key"] == "tenant"}

    assert tenants == ({"tenant": 2, "tenant-runs": 0} if sees_tenant else {})
    assert (listed["configured"] is not None) == sees_configured
    if not sees_tenant:
        assert call(caller, TOOL, {"action": "get", "key": "tenant"}).http_status == 403


def test_a_viewer_has_no_tools(tenant: Tenant) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), TOOL, {"action": "get"})


def test_another_caller_is_seen_and_begun_anew_by_who_manages_limits(tenant: Tenant) -> None:
    operator, user, colleague = make_principal(tenant, "operator"), make_principal(tenant), make_principal(tenant)
    ask(user, 4)
    ask(colleague)
    call(user, "system.time")

    before = used(operator, key=f"user:{user.sub}")
    done = result(operator, TOOL, {"action": "reset", "key": f"user:{user.sub}"})

    assert before == 4
    assert set(done["reset"]) == {"user", "user-runs", "tool"}
    assert (used(user), used(user, "tool", key="tool:system.time"), used(colleague)) == (0, 0, 1)
    for action in ("get", "reset"):
        assert call(colleague, TOOL, {"action": action, "key": f"user:{user.sub}"}).http_status == 403

    def noted() -> bool:
        with tenant_scope(tenant.id):
            return AuditLog.objects.filter(action="ratelimit.reset", resource_id=user.sub, actor=operator.sub).exists()

    wait_for(noted, what="the audit row of the reset")


def test_counts_that_cannot_be_reached_are_not_said_to_begin_anew(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(availability, "usable", lambda: False)

    outcome = call(make_principal(tenant, "operator"), TOOL, {"action": "reset", "key": "user:ada"})

    assert outcome.error is not None
    assert (outcome.error["code"], outcome.http_status) == ("redis_unavailable", 503)


def test_the_same_sub_of_another_tenant_is_somebody_else(tenant: Tenant) -> None:
    user, namesake = make_principal(tenant, sub="same-sub"), make_principal(make_tenant(), "admin", sub="same-sub")
    ask(user, 2)

    result(namesake, TOOL, {"action": "reset", "key": "user:same-sub"})

    assert (used(namesake, key="user:same-sub"), used(user)) == (0, 2)


def test_the_limit_of_an_account_follows_from_its_roles(tenant: Tenant, settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0
    user, _ = create_account(username=f"u-{tenant.slug}", email="u@x.org", tenant_id=tenant.id, roles=["guest"])
    admin, stranger = make_principal(tenant, "admin"), make_principal(make_tenant(), "admin")

    def limit_for(caller: Principal) -> Any:
        return result(caller, TOOL, {"action": "get", "key": f"user:{user.id}"})["limits"][0]["limit"]

    assert limit_for(admin) == 200
    assert limit_for(stranger) is None


def test_an_administrator_sets_limits_below_the_ceiling(tenant: Tenant) -> None:
    admin = make_principal(tenant, "admin")

    one = result(admin, TOOL, {"action": "set", "key": "user:ada", "limit": 7, "window": 60})
    result(admin, TOOL, {"action": "set", "key": "callers", "limit": 90})
    again = result(admin, TOOL, {"action": "set", "key": "user:ada", "limit": 7})
    back = result(admin, TOOL, {"action": "set", "key": "user:ada"})

    assert one["configured"]["users"] == again["configured"]["users"] == {"ada": 7}
    assert (back["configured"]["users"], back["configured"]["user_per_minute"]) == ({}, 90)
    config = tenant_config(tenant.id)
    assert config is not None
    assert config.settings.rate_limits.user_per_minute == 90


@pytest.mark.parametrize("who", ["admin", "platform"])
def test_nobody_gives_a_caller_more_than_the_tenant_has(who: str) -> None:
    tenant = platform_tenant() if who == "platform" else make_tenant()
    admin = make_principal(tenant, "admin")
    ceiling = result(admin, TOOL, {"action": "list"})["ceiling"]

    for key in ("user:ada", "callers", "me"):
        above = call(admin, TOOL, {"action": "set", "key": key, "limit": ceiling + 1})
        assert above.error is not None
        assert above.error["code"] == "above_ceiling"


def test_the_tenants_own_limit_is_the_platforms_to_set(tenant: Tenant) -> None:
    tenants, platforms = make_principal(tenant, "admin"), make_principal(platform_tenant(), "admin")
    acting = Principal(platforms.sub, tenant.id, platforms.roles, platforms.scopes, home_tenant_id=platforms.tenant_id)
    given = {"action": "set", "key": "tenant", "limit": 40}

    refused = call(tenants, TOOL, given)
    set_to = result(acting, TOOL, given)

    assert refused.http_status == 403
    assert set_to["configured"]["tenant_per_minute"] == 40
    assert set_to["ceiling"] == 40


@pytest.mark.parametrize("role", ["user", "operator", "auditor"])
def test_only_administrators_set(tenant: Tenant, role: str) -> None:
    caller, given = make_principal(tenant, role), {"action": "set", "key": "callers", "limit": 5}

    if role == "auditor":  # its token may not write at all
        with pytest.raises(ForbiddenError):
            call(caller, TOOL, given)
    else:
        assert call(caller, TOOL, given).http_status == 403
    config = tenant_config(tenant.id)
    assert config is not None
    assert config.settings.rate_limits.user_per_minute is None


@pytest.mark.parametrize(
    ("given", "code"),
    [({"action": "set", "key": "callers", "limit": 5, "window": 3600}, "fixed_window"),
     ({"action": "set", "key": "tool:system.time", "limit": 5}, "not_set_here"),
     ({"action": "reset", "key": "tenant"}, "one_caller_only"), ({"action": "get", "key": "callers"}, "no_counts"),
     ({"action": "get", "key": "tool:no.such"}, "tool_not_found")],
    ids=["window", "tool", "tenant", "callers", "unknown-tool"],
)  # fmt: skip
def test_what_cannot_be_done_is_said(tenant: Tenant, given: dict[str, Any], code: str) -> None:
    failed = call(make_principal(tenant, "admin"), TOOL, given)

    assert failed.error is not None
    assert failed.error["code"] == code


def test_a_thousand_callers_have_limits_of_their_own_and_no_more(tenant: Tenant) -> None:
    admin = make_principal(tenant, "admin")
    users = {f"u{number}": 5 for number in range(1000)}
    change_tenant(tenant.id, {"settings": {"rate_limits": {"users": users}}}, by=None)

    changed = result(admin, TOOL, {"action": "set", "key": "user:u1", "limit": 6})
    one_more = call(admin, TOOL, {"action": "set", "key": "user:another", "limit": 6})

    assert changed["configured"]["users"]["u1"] == 6
    assert one_more.error is not None
    assert one_more.error["code"] == "too_many_callers"


@pytest.mark.parametrize(
    "given",
    [{"action": "get", "key": "ratelimit:user:x"}, {"action": "get", "key": "user:"},
     {"action": "get", "key": "user:a\nb"}, {"action": "set", "key": "me", "limit": 0},
     {"action": "set", "key": "me", "limit": "7"}, {"action": "clear"}],
    ids=["raw-key", "nobody", "line", "zero", "text", "action"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tenant: Tenant, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(make_principal(tenant, "admin"), TOOL, given)
