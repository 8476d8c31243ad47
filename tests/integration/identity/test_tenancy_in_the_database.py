"""Whom the database itself keeps from whom: the tenants' table, the accounts, the doors of the four roles."""

import secrets
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import DatabaseError, InternalError, ProgrammingError, connections, transaction

from apps.identity import standing
from apps.identity.models import User
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import tenant_by_slug, tenant_is_active
from apps.tenancy.services import create_tenant, set_tenant_status
from kernel.db_router import ISSUER_APPS
from kernel.errors import ConflictError, NotFoundError, UnavailableError
from kernel.tenant_context import tenant_scope


def ask(alias: str, sql: str, *values: object) -> list[tuple[object, ...]]:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def refused(alias: str, sql: str, *values: object) -> bool:
    try:
        ask(alias, sql, *values)
    except (ProgrammingError, InternalError) as error:
        return "permission denied" in str(error) or "row-level security" in str(error)
    return False


@pytest.fixture
def other_tenant() -> Tenant:
    name = f"o-{secrets.token_hex(6)}"
    return create_tenant(name, f"Other {name}")


@pytest.mark.requirement("tenancy:isolation")
def test_raw_sql_sees_only_the_own_tenant(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_scope(tenant.id):
        assert ask("default", "SELECT slug FROM tenants") == [(tenant.slug,)]
        assert ask("default", "SELECT slug FROM tenants WHERE id = %s OR true", other_tenant.id) == [(tenant.slug,)]


@pytest.mark.requirement("tenancy:fail-closed")
@pytest.mark.parametrize("context", ["unset", "", "reset"])
def test_without_a_tenant_no_row_is_seen(tenant: Tenant, context: str) -> None:
    with transaction.atomic(using="default"):
        if context == "":
            ask("default", "SELECT set_config('app.tenant_id', '', true)")
        if context == "reset":
            ask("default", "RESET app.tenant_id")

        assert ask("default", "SELECT * FROM tenants") == []


@pytest.mark.requirement("tenancy:isolation")
def test_a_connection_forgets_the_tenant_with_its_transaction(tenant: Tenant) -> None:
    with tenant_scope(tenant.id):
        assert ask("default", "SELECT count(*) FROM tenants") == [(1,)]

    assert ask("default", "SELECT count(*) FROM tenants") == [(0,)]


@pytest.mark.requirement("tenancy:isolation")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE tenants SET status = 'suspended'",
        "DELETE FROM tenants",
        "INSERT INTO tenants (id, slug) VALUES (gen_random_uuid(), 'x')",
        "ALTER TABLE tenants DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_isolation ON tenants",
        "SET ROLE cineca_engine",
        "SET ROLE cineca_owner",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY tenants TO PROGRAM 'true'",
    ],
)
def test_the_application_cannot_change_tenants_or_its_own_fence(sql: str) -> None:
    with pytest.raises(DatabaseError, match=r"permission denied|must be (owner|able)"):
        ask("default", sql)


@pytest.mark.requirement("tenancy:isolation")
def test_the_application_and_the_engine_cannot_touch_accounts() -> None:
    tables = [
        model._meta.db_table
        for label in ISSUER_APPS
        if apps.is_installed(f"django.contrib.{label}") or label in ("identity", "oauth2_provider")
        for model in apps.get_app_config(label).get_models(include_auto_created=True)
    ]
    assert {"users", "users_groups", "oauth2_provider_accesstoken", "django_session"} <= set(tables)

    for table in tables:
        for alias in ("default", "engine"):
            assert refused(alias, f"SELECT * FROM {table}"), (alias, table)
        assert ask("issuer", f"SELECT count(*) FROM {table}"), table


@pytest.mark.requirement("tenancy:isolation")
def test_the_issuer_learns_no_more_of_tenants_than_their_standing(tenant: Tenant) -> None:
    assert ask("issuer", "SELECT slug, status FROM tenants WHERE id = %s", tenant.id) == [(tenant.slug, "active")]

    assert refused("issuer", "SELECT name FROM tenants")
    assert refused("issuer", "SELECT * FROM tenants")
    assert refused("issuer", "UPDATE tenants SET status = 'active'")


@pytest.mark.requirement("tenancy:isolation")
def test_every_table_of_the_issuer_is_granted_to_it(make_user: Callable[[str], User]) -> None:
    user = make_user("user")

    changed = User.objects.filter(id=user.id).update(first_name="Ada")

    assert changed == 1
    assert User.objects.filter(id=user.id).delete()[0] >= 1


@pytest.mark.requirement("tenancy:names-unique")
def test_slug_and_name_are_unique_in_any_case(tenant: Tenant) -> None:
    with pytest.raises(ConflictError):
        create_tenant(tenant.slug, "Another name " + tenant.slug)
    with pytest.raises(ConflictError):
        create_tenant("another-" + tenant.slug, tenant.name.upper())


@pytest.mark.requirement("tenancy:status")
def test_a_suspended_tenant_is_not_active(tenant: Tenant) -> None:
    assert tenant_is_active(tenant.id)

    set_tenant_status(tenant.id, Tenant.Status.SUSPENDED)

    assert not tenant_is_active(tenant.id)
    assert tenant_by_slug(tenant.slug) == tenant
    with pytest.raises(NotFoundError):
        set_tenant_status(uuid4(), Tenant.Status.ACTIVE)


@pytest.mark.requirement("identity:database-down")
def test_last_known_standing_serves_while_the_database_is_away(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    away = False

    def load() -> standing.Standing:
        if away:
            raise DatabaseError("connection refused")
        return standing._load()

    current = standing.Reloaded("standing", load, (DatabaseError,), standing.PACE)
    monkeypatch.setattr(standing, "current", current)
    caller = {"checksum": "0" * 64, "sub": "ada", "tenant_id": tenant.id}
    assert standing.is_in_good_standing(**caller)  # type: ignore[arg-type]

    away = True
    monkeypatch.setattr(current, "_value_from", current._value_from - 3600)

    assert standing.is_in_good_standing(**caller)  # type: ignore[arg-type]
    assert current.is_degraded
    away = False
    current._last_start -= standing.PACE.after_failure_s
    current.get()
    eventually(lambda: not current.is_degraded)


@pytest.mark.requirement("identity:database-down")
def test_without_any_knowledge_the_answer_is_a_503(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> standing.Standing:
        raise DatabaseError("connection refused")

    monkeypatch.setattr(standing, "current", standing.Reloaded("standing", load, (DatabaseError,), standing.PACE))

    with pytest.raises(UnavailableError):
        standing.is_in_good_standing(checksum="0" * 64, sub="ada", tenant_id=tenant.id)
