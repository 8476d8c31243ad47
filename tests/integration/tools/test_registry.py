"""The life of a tool in the registry: declared, approved, changed, set, gone; and what holds without PostgreSQL."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import Error as DatabaseError

from apps.audit.models import AuditLog
from apps.identity.principal import Principal
from apps.identity.reloading import Reloaded
from apps.tools import registry, syncing
from apps.tools.errors import ToolSwitchedOff
from apps.tools.models import ToolManifest
from apps.tools.policies import approve_manifest, change_manifest, remove_policy, set_policy
from apps.tools.spec import DECLARED, Rate
from kernel import engine_db
from kernel.clock import now
from kernel.errors import NotFoundError, UnavailableError
from tests.clients import PATIENCE_S, wait_for
from tests.factories import make_principal, platform_tenant
from tests.tool_calls import call
from tests.tool_registry import audited, declare, manifest, only_here, redeclare

pytestmark = pytest.mark.requirement("tools:registry")


@pytest.fixture
def name() -> Iterator[str]:
    """A tool of this test's own, approved."""
    chosen = f"life.t{uuid4().hex[:8]}"
    with only_here("life."):
        declare(chosen, aliases=(f"{chosen}.before",), timeout_s=20, rate=Rate(50, 30))
        syncing.sync(approve=True, by="tests")
        yield chosen


@pytest.fixture
def platform_admin() -> Principal:
    return make_principal(platform_tenant(), "admin")


def test_what_the_code_declares_is_copied(name: str) -> None:
    row, spec = manifest(name), DECLARED[name]

    assert (row.version, row.title, row.description, row.category) == ("1.0.0", "Say it again", "Say it again.", "life")
    assert (row.effect, row.permissions, row.declared_scopes) == ("read", [], ["tools:invoke:basic"])
    assert (row.timeout_s, row.rate_requests, row.rate_window_s, row.enabled) == (20, 50, 30, True)
    assert row.input_schema["properties"]["text"]["type"] == "string"
    assert row.output_schema["required"] == ["text"]
    assert (row.fingerprint, row.approved_fingerprint) == (spec.fingerprint, spec.fingerprint)
    assert row.declaration == row.approved_declaration == spec.declaration
    assert audited("tools.sync", "")[0].details["added"] == [name]


def test_a_repeat_writes_nothing(name: str) -> None:
    before, told = manifest(name).updated_at, len(audited("tools.sync", ""))

    again = syncing.sync(approve=False, by="tests")

    assert (again.added, again.changed, again.gone, again.waiting) == ((), (), (), ())
    assert manifest(name).updated_at == before
    assert len(audited("tools.sync", "")) == told


def test_what_administrators_set_stays(name: str, platform_admin: Principal) -> None:
    setting = {"enabled": False, "rate_requests": 7, "extra_scopes": ["graph:read"], "approval": "always"}
    change_manifest(name, setting, by=platform_admin)

    redeclare(name, description="Say it once more.", rate=Rate(80, 40), timeout_s=25)
    syncing.sync(approve=True, by="tests")

    row = manifest(name)
    assert (row.enabled, row.rate_requests, row.extra_scopes, row.approval) == (False, 7, ["graph:read"], "always")
    assert row.description == "Say it once more."
    assert (row.rate_window_s, row.timeout_s) == (40, 25), "what nobody set follows the code"


def test_a_limit_that_was_set_does_not_exceed_what_the_code_allows_later(
    name: str, tenant: Any, platform_admin: Principal
) -> None:
    change_manifest(name, {"timeout_s": 15}, by=platform_admin)

    redeclare(name, timeout_s=4.0)
    found = registry.find(tenant.id, name)
    syncing.sync(approve=True, by="tests")

    assert found.timeout_s == 4
    assert manifest(name).timeout_s == 4


def test_a_changed_tool_is_off_for_everybody_until_it_is_approved(
    name: str, principal: Principal, tenant: Any, platform_admin: Principal
) -> None:
    redeclare(name, description="Say it again, and send it to somebody else too.")
    synced = syncing.sync(approve=False, by="tests")

    for caller in (principal, make_principal(tenant, "admin"), platform_admin):
        with pytest.raises(ToolSwitchedOff) as refused:
            call(caller, name)
        assert (refused.value.code, refused.value.http_status) == ("tool_disabled", 403)
        assert name not in [tool.spec.name for tool in registry.callable_by(caller)]
    assert synced.waiting == synced.changed == (name,)
    assert audited("tool.declared", name)[0].details["differs"] == ["description"]

    approve_manifest(name, fingerprint=manifest(name).fingerprint, by=platform_admin)

    assert call(principal, name).ok
    row = manifest(name)
    assert (row.approved_by, row.approved_declaration) == (platform_admin.sub, row.declaration)


def test_the_command_says_what_waits_and_can_vouch_for_it(name: str, principal: Principal, capsys: Any) -> None:
    redeclare(name, version="2.0.0")

    call_command("sync_tools")
    waiting = capsys.readouterr().out
    with pytest.raises(ToolSwitchedOff):
        call(principal, name)
    call_command("sync_tools", approve=True)
    vouched = capsys.readouterr().out
    call_command("sync_tools")

    assert f"Changed: {name}. They are off until an administrator approves them." in waiting
    assert f"Changed: {name}." in vouched and "off until" not in vouched
    assert call(principal, name).ok
    assert "The registry is up to date." in capsys.readouterr().out
    assert audited("tool.approved", name)[0].actor == "sync_tools"


def test_a_tool_that_no_code_declares_is_gone_and_comes_back_as_it_was(name: str, principal: Principal) -> None:
    spec = DECLARED.pop(name)
    synced = syncing.sync(approve=False, by="tests")

    with pytest.raises(NotFoundError) as refused:
        call(principal, name)
    assert refused.value.code == "tool_not_found"
    assert synced.gone == (name,)
    assert not manifest(name).is_declared
    assert len(audited("tool.gone", name)) == 1

    DECLARED[name] = spec
    back = syncing.sync(approve=False, by="tests")

    assert back.waiting == ()
    assert call(principal, name).ok


def test_a_tool_that_was_never_synchronised_is_there_and_cannot_be_called(name: str, principal: Principal) -> None:
    unknown = f"{name}.unsynced"
    declare(unknown)

    with pytest.raises(ToolSwitchedOff) as refused:
        call(principal, unknown)

    assert "manage.py sync_tools" in str(refused.value)


def test_a_tool_answers_to_its_alias(name: str, principal: Principal) -> None:
    outcome = call(principal, f"{name}.before", {"text": "by its old name"})

    assert (outcome.tool, outcome.result) == (name, {"text": "by its old name"})


@pytest.mark.parametrize("sought", ["", "life", "life.none", "LIFE.NONE", "x" * 10_000, "life.t\u0435st", "a\0b"])
def test_what_is_no_name_is_not_found(tenant: Any, sought: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        registry.find(tenant.id, sought)

    assert refused.value.code == "tool_not_found"
    assert len(str(refused.value)) < 500


def test_in_production_only_the_first_tools_are_vouched_for(name: str, admin_url: str, settings: Any) -> None:
    settings.ENVIRONMENT = "prod"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("DELETE FROM tool_manifests")

    first = syncing.sync_first(by="tests")
    declare(f"{name}.later")
    redeclare(name, version="2.0.0")
    second = syncing.sync_first(by="tests")
    third = syncing.sync_first(by="tests")

    assert name in first.added and first.waiting == ()
    assert second.waiting == third.waiting == (name, f"{name}.later")
    assert manifest(f"{name}.later").approved_fingerprint == ""


def test_two_processes_may_synchronise_at_the_same_time_and_see_the_same(
    name: str, admin_url: str, spawn: Callable[..., Any]
) -> None:
    began = now()
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("DELETE FROM tool_manifests")

    synchronising = [
        spawn(
            "django",
            "sync_tools",
            name=f"sync-{number}",
            DJANGO_SETTINGS_MODULE="config.settings",
            PYTHONHASHSEED=str(number),
        )
        for number in (1, 2)
    ]
    codes = [process.wait(timeout=PATIENCE_S) for process in synchronising]

    assert codes == [0, 0]
    assert ToolManifest.objects.using(engine_db.ALIAS).filter(is_declared=True).count() == len(DECLARED) - 1
    syncing.sync(approve=True, by="tests")
    differing = AuditLog.objects.using(engine_db.ALIAS).filter(action="tool.declared", created_at__gt=began)
    assert [row.resource_id for row in differing] == []


def test_a_switch_bites_in_another_process_within_three_seconds(
    tenant: Any, home: Path, spawn: Callable[..., Any], platform_admin: Principal
) -> None:
    log = home / "registry-watch.log"
    spawn("tests.registry_watch", "system.time", str(tenant.id), name="registry-watch")
    wait_for(lambda: log.exists() and "It can be called." in log.read_text(), what="the other process")

    try:
        change_manifest("system.time", {"enabled": False}, by=platform_admin)
        switched_at = time.time()
        wait_for(lambda: "It is switched off." in log.read_text(), what="the switch")
        seen_at = float(log.read_text().splitlines()[-1].split()[0])
    finally:
        change_manifest("system.time", {"enabled": True}, by=platform_admin)

    assert registry.PACE.fresh_s < 3 < 20 < registry.PACE.expired_s  # promised, asserted, and without a look
    assert seen_at - switched_at < 20
    sys.stdout.write(f"seen after {seen_at - switched_at:.2f} s\n")


def test_what_was_read_is_kept_until_somebody_writes(name: str, tenant: Any, admin_url: str) -> None:
    read = registry.Reader()
    first, again = read(), read()

    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE tool_manifests SET enabled = false WHERE name = %s", [name])  # nothing else
    by_hand = read()
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("UPDATE tool_manifests SET enabled = true WHERE name = %s", [name])
    set_policy(name, {"enabled": False}, by=make_principal(tenant, "admin"))
    with_policy = read()
    remove_policy(name, by=make_principal(tenant, "admin"))
    without = read()

    assert again is first
    assert (first.manifests[name].enabled, by_hand.manifests[name].enabled) == (True, False)
    assert (tenant.id, name) in with_policy.policies
    assert (with_policy.manifests[name].enabled, (tenant.id, name) in without.policies) == (True, False)


def test_while_postgresql_is_away_the_last_known_holds_for_a_minute(
    name: str, tenant: Any, admin_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    later_s = 0.0
    kept: Reloaded[registry.Registered] = Reloaded(
        "tools",
        registry.Reader(),
        (DatabaseError, psycopg.Error),
        registry.PACE,
        lambda: time.monotonic() + later_s,
    )
    monkeypatch.setattr(registry, "current", kept)
    registry.find(tenant.id, name)

    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON tool_manifests FROM cineca_engine")
        try:
            later_s = 58.0
            known = registry.find(tenant.id, name)
            later_s = 61.0
            with pytest.raises(UnavailableError) as refused:
                registry.find(tenant.id, name)
        finally:
            connection.execute("GRANT SELECT ON tool_manifests TO cineca_engine")
    later_s = 63.0
    again = registry.find(tenant.id, name)

    assert known.off == again.off == ""
    assert (refused.value.http_status, refused.value.code) == (503, "database_unavailable")
