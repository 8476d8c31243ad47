"""What administrators set: it narrows, never widens, stays in its tenant, and is written down."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connections

from apps.audit.models import AuditLog
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tools import policies, registry, syncing
from apps.tools.calls import Call
from apps.tools.errors import ToolSwitchedOff
from apps.tools.models import ToolPolicy
from apps.tools.policies import change_manifest, remove_policy, set_policy
from apps.tools.policy import needs_approval
from apps.tools.registry import Effective
from apps.tools.spec import DECLARED, Rate
from kernel import engine_db
from kernel.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    PlatformError,
    PreconditionFailedError,
    RateLimitedError,
    ValidationError,
)
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.tool_calls import call
from tests.tool_registry import audited, declare, manifest, only_here

pytestmark = pytest.mark.requirement("tools:policies")
READS, WRITES, KEPT = "narrow.read", "narrow.write", "narrow.careful"


@pytest.fixture(scope="module", autouse=True)
def declared() -> Iterator[None]:
    with only_here("narrow."):
        declare(READS, rate=Rate(10, 60), timeout_s=20)
        declare(WRITES, "write")
        declare(KEPT, "destructive", approval="always")
        yield


@pytest.fixture(autouse=True)
def as_declared(admin_url: str) -> None:
    """Each test begins with manifests that nobody has changed."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("DELETE FROM tool_manifests WHERE category = 'narrow'")
    syncing.sync(approve=True, by="tests")


@pytest.fixture
def admin(tenant: Tenant) -> Principal:
    return make_principal(tenant, "admin")


@pytest.fixture
def other() -> Tenant:
    return make_tenant()


@pytest.fixture
def platform_admin() -> Principal:
    return make_principal(platform_tenant(), "admin")


def policy_of(tenant: Tenant, tool: str) -> ToolPolicy | None:
    return ToolPolicy.objects.using(engine_db.ALIAS).filter(tenant=tenant, tool=tool).first()


def test_a_tenants_switch_is_its_own(tenant: Tenant, other: Tenant, admin: Principal) -> None:
    set_policy(READS, {"enabled": False}, by=admin)

    with pytest.raises(ToolSwitchedOff) as refused:
        call(make_principal(tenant), READS)
    assert "for your tenant" in str(refused.value)
    assert call(make_principal(other), READS).ok

    set_policy(READS, {"enabled": True}, by=admin)

    assert call(make_principal(tenant), READS).ok


def test_a_tenant_cannot_switch_on_what_the_platform_switched_off(
    tenant: Tenant, admin: Principal, platform_admin: Principal
) -> None:
    change_manifest(READS, {"enabled": False}, by=platform_admin)

    set_policy(READS, {"enabled": True}, by=admin)

    with pytest.raises(ToolSwitchedOff):
        call(make_principal(tenant), READS)


def test_a_tenants_rate_comes_on_top_of_the_platforms(
    tenant: Tenant, other: Tenant, admin: Principal, settings: Any
) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0
    set_policy(READS, {"rate_requests": 3, "rate_window_s": 3600}, by=admin)
    ours, theirs = make_principal(tenant), make_principal(other)

    assert [_passes(ours) for _ in range(4)] == [True, True, True, False]
    assert [_passes(theirs) for _ in range(11)] == [True] * 10 + [False]


def test_a_wider_rate_of_a_tenant_lets_nobody_burst(tenant: Tenant, admin: Principal, settings: Any) -> None:
    settings.RATE_LIMIT_FACTOR = 1.0
    set_policy(READS, {"rate_requests": 500, "rate_window_s": 3600}, by=admin)  # fewer in an hour than 10 a minute
    caller = make_principal(tenant)

    assert [_passes(caller) for _ in range(11)] == [True] * 10 + [False]


def test_a_rate_of_nothing_means_nobody(tenant: Tenant, admin: Principal) -> None:
    set_policy(READS, {"rate_requests": 0, "rate_window_s": 60}, by=admin)

    with pytest.raises(RateLimitedError):
        call(make_principal(tenant), READS)


def test_scopes_add_up(tenant: Tenant, other: Tenant, admin: Principal, platform_admin: Principal) -> None:
    change_manifest(READS, {"extra_scopes": ["graph:read"]}, by=platform_admin)
    set_policy(READS, {"extra_scopes": ["models:infer"]}, by=admin)

    for of, scopes, missing in (
        (tenant, {"read", "tools:invoke"}, "graph:read"),
        (tenant, {"read", "tools:invoke", "graph:read"}, "models:infer"),
        (other, {"read", "tools:invoke"}, "graph:read"),
    ):
        with pytest.raises(ForbiddenError) as refused:
            call(Principal("p", of.id, frozenset({"user"}), frozenset(scopes)), READS)
        assert refused.value.extra["required_permission"] == missing
    with_all = frozenset({"read", "tools:invoke", "graph:read", "models:infer"})
    assert call(Principal("p", tenant.id, frozenset({"user"}), with_all), READS).ok
    assert call(Principal("p", other.id, frozenset({"user"}), with_all - {"models:infer"}), READS).ok


def test_the_strictest_word_on_approvals_counts(
    tenant: Tenant, other: Tenant, admin: Principal, platform_admin: Principal
) -> None:
    def asks(of: Tenant, tool: str) -> bool:
        return needs_approval(Call(make_principal(of), tool, {}, "rest"), found(of, tool))

    assert (asks(tenant, WRITES), asks(tenant, KEPT)) == (False, True)

    set_policy(WRITES, {"approval": "always"}, by=admin)
    assert (asks(tenant, WRITES), asks(other, WRITES)) == (True, False)

    change_manifest(READS, {"approval": "always"}, by=platform_admin)
    assert asks(tenant, READS) and asks(other, READS)


@pytest.mark.parametrize("said", ["never", "tainted"])
def test_nobody_makes_approvals_laxer_than_the_code(
    admin: Principal, platform_admin: Principal, admin_url: str, tenant: Tenant, said: str
) -> None:
    for change in (set_policy, change_manifest):
        with pytest.raises(ValidationError) as refused:
            change(KEPT, {"approval": said}, by=admin if change is set_policy else platform_admin)
        assert refused.value.code == "approval_too_lax"

    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE tool_manifests SET approval = %s, timeout_s = 900 WHERE name = %s", [said, KEPT])
    registry.current.reload()

    assert (found(tenant, KEPT).approval, found(tenant, KEPT).timeout_s) == ("always", 30.0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"extra_scopes": ["graph:rule"]}, "There is no scope 'graph:rule'"),
        ({"extra_scopes": "graph:read"}, "a list of scopes"),
        ({"extra_scopes": ["openid"]}, "There is no scope 'openid'"),
        ({"rate_requests": -1, "rate_window_s": 60}, "from 0, nobody may call"),
        ({"rate_requests": True, "rate_window_s": 60}, "from 0, nobody may call"),
        ({"rate_requests": 1.5, "rate_window_s": 60}, "from 0, nobody may call"),
        ({"rate_requests": 5, "rate_window_s": 0}, "seconds from 1"),
        ({"rate_requests": 5, "rate_window_s": 10**9}, "seconds from 1"),
        ({"rate_requests": 5, "rate_window_s": None}, "give both"),
        ({"approval": "sometimes"}, "one of never, tainted, always"),
        ({"enabled": "no"}, "true or false"),
        ({"approved_fingerprint": "x"}, "cannot be set here"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_what_cannot_be_is_refused_with_a_sentence(
    tenant: Tenant, admin: Principal, platform_admin: Principal, change: dict[str, Any], sentence: str
) -> None:
    for setter, by in ((set_policy, admin), (change_manifest, platform_admin)):
        with pytest.raises(ValidationError) as refused:
            setter(READS, change, by=by)
        assert sentence in refused.value.detail

    assert policy_of(tenant, READS) is None
    assert found(tenant, READS) == found(make_tenant(), READS)


@pytest.mark.parametrize("timeout_s", [0, -1, 20.5, float("nan"), float("inf"), "10", True, None])
def test_a_timeout_is_no_longer_than_the_codes(platform_admin: Principal, timeout_s: Any) -> None:
    with pytest.raises(ValidationError):
        change_manifest(READS, {"timeout_s": timeout_s}, by=platform_admin)

    assert change_manifest(READS, {"timeout_s": 20}, by=platform_admin).timeout_s == 20


def test_manifests_are_the_platforms_and_policies_an_administrators(
    tenant: Tenant, admin: Principal, platform_admin: Principal
) -> None:
    operator = make_principal(tenant, "operator")
    refused: list[Callable[[], Any]] = [
        lambda: change_manifest(READS, {"enabled": False}, by=admin),
        lambda: policies.approve_manifest(READS, fingerprint=manifest(READS).fingerprint, by=admin),
        lambda: set_policy(READS, {"enabled": False}, by=operator),
        lambda: remove_policy(READS, by=operator),
        lambda: set_policy(READS, {"enabled": False}, by=make_principal(platform_tenant(), "user")),
    ]

    for act in refused:
        with pytest.raises(ForbiddenError):
            act()

    acting = Principal(platform_admin.sub, tenant.id, platform_admin.roles, platform_admin.scopes,
                       home_tenant_id=platform_admin.tenant_id)  # fmt: skip
    set_policy(READS, {"enabled": False}, by=acting)
    assert found(tenant, READS).off


def test_who_was_slower_reads_again(tenant: Tenant, admin: Principal, platform_admin: Principal) -> None:
    seen_tool, seen_policy = manifest(READS).updated_at, set_policy(READS, {"enabled": False}, by=admin).updated_at
    change_manifest(READS, {"rate_requests": 5}, by=platform_admin, expected=seen_tool)
    set_policy(READS, {"enabled": None}, by=admin, expected=seen_policy)

    with pytest.raises(PreconditionFailedError):
        change_manifest(READS, {"enabled": False}, by=platform_admin, expected=seen_tool)
    with pytest.raises(PreconditionFailedError):
        set_policy(READS, {"enabled": False}, by=admin, expected=seen_policy)

    assert found(tenant, READS).off == ""


def test_of_two_who_set_the_first_policy_at_once_both_or_one_is_heard_and_there_is_one_policy(
    tenant: Tenant, admin: Principal
) -> None:
    def attempt(requests: int) -> str:
        try:
            set_policy(READS, {"rate_requests": requests, "rate_window_s": 60}, by=admin)
        except ConflictError as error:
            return str(error.code)
        else:
            return "set"
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(attempt, range(1, 5)))

    assert "set" in said and set(said) <= {"set", "tool_policy_exists"}
    assert ToolPolicy.objects.using(engine_db.ALIAS).filter(tenant=tenant, tool=READS).count() == 1


def test_each_change_is_written_down_before_and_after(
    tenant: Tenant, admin: Principal, platform_admin: Principal
) -> None:
    change_manifest(READS, {"enabled": False, "rate_requests": 4}, by=platform_admin)
    change_manifest(READS, {"enabled": False}, by=platform_admin)  # no change
    set_policy(READS, {"approval": "always"}, by=admin)
    remove_policy(READS, by=admin)

    changed = audited("tool.changed", READS)
    ours = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=tenant.id, resource_type="tool_policy")
    of_policy = {row.action: row.details for row in ours}
    assert changed[0].details["changes"] == {"enabled": [True, False], "rate_requests": [10, 4]}
    assert (changed[0].actor, changed[0].actor_tenant_id) == (platform_admin.sub, platform_admin.tenant_id)
    assert sum(row.actor == platform_admin.sub for row in changed) == 1
    assert of_policy["tool.policy_set"]["changes"] == {"approval": ["", "always"]}
    assert of_policy["tool.policy_removed"] == {"said": {"approval": "always"}}
    assert policy_of(tenant, READS) is None


def test_a_policy_is_set_by_an_alias_under_the_tools_own_name_and_only_for_tools_there_are(
    tenant: Tenant, admin: Principal
) -> None:
    declare("narrow.aliased", aliases=("narrow.former",))
    syncing.sync(approve=True, by="tests")

    set_policy("narrow.former", {"enabled": False}, by=admin)

    assert policy_of(tenant, "narrow.aliased") is not None
    with pytest.raises(NotFoundError):
        set_policy("narrow.nothing", {"enabled": False}, by=admin)
    with pytest.raises(NotFoundError):
        remove_policy(READS, by=admin)


def test_a_policy_for_a_tool_that_is_not_there_is_harmless(tenant: Tenant, admin: Principal) -> None:
    left = f"narrow.t{uuid4().hex[:8]}"
    ToolPolicy.objects.using(engine_db.ALIAS).create(tenant=tenant, tool=left, enabled=False)
    registry.current.reload()

    assert call(make_principal(tenant), READS).ok
    with pytest.raises(NotFoundError):
        call(make_principal(tenant), left)
    assert left not in [tool.spec.name for tool in registry.tools_of(tenant.id)]
    remove_policy(left, by=admin)
    assert policy_of(tenant, left) is None


def test_a_tool_that_is_gone_has_nothing_to_set(platform_admin: Principal) -> None:
    name = f"narrow.t{uuid4().hex[:8]}"
    declare(name)
    syncing.sync(approve=True, by="tests")
    del DECLARED[name]
    syncing.sync(approve=True, by="tests")

    for act in (
        lambda: change_manifest(name, {"enabled": False}, by=platform_admin),
        lambda: policies.approve_manifest(name, fingerprint=manifest(name).fingerprint, by=platform_admin),
    ):
        with pytest.raises(ConflictError) as refused:
            act()
        assert refused.value.code == "tool_gone"


def found(tenant: Tenant, name: str) -> Effective:
    return registry.find(tenant.id, name)


def _passes(caller: Principal) -> bool:
    try:
        return call(caller, READS).ok
    except PlatformError as error:
        assert isinstance(error, RateLimitedError)
        return False
