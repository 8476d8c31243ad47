"""What the platform's database roles are, and what they may not do."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from apps.tenancy.models import Tenant
from apps.tenancy.services import set_tenant_status
from tests.by_hand import HandJob
from tests.factories import make_principal, make_tenant

Connection = psycopg.Connection[Any]
ROLES = ("cineca_app", "cineca_engine", "cineca_issuer")


@pytest.mark.requirement("tenancy:roles")
@pytest.mark.parametrize("role", ROLES)
def test_no_role_of_the_platform_is_above_the_fence(superuser: Connection, role: str) -> None:
    flags = superuser.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = %s",
        [role],
    ).fetchone()
    owned = superuser.execute("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", [role]).fetchone()
    member_of = superuser.execute("SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole", [role]).fetchone()

    assert flags == (False,) * 5
    assert owned == (0,)
    assert member_of == (0,)


@pytest.mark.requirement("tenancy:roles")
@pytest.mark.requirement("security:124")
@pytest.mark.parametrize("alias", ["default", "engine", "issuer"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE jobs DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE jobs NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant_isolation ON jobs",
        "CREATE POLICY mine ON jobs USING (true)",
        "DROP TRIGGER jobs_guard ON jobs",
        "ALTER TABLE jobs DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "SET ROLE cineca_owner",
        "SET SESSION AUTHORIZATION cineca_owner",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE TABLE mine (x int)",
        "CREATE EXTENSION dblink",
        "TRUNCATE jobs",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
    ],
)
def test_what_would_open_the_fence_is_refused(connect: Callable[[str], Connection], alias: str, statement: str) -> None:
    with connect(alias) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.requirement("tenancy:roles")
def test_the_application_cannot_rewrite_history_nor_read_the_partitions_directly(app: Connection) -> None:
    for statement in (
        "UPDATE job_events SET event_type = 'x'",
        "SELECT * FROM job_events_default",
        "SELECT ensure_job_events_partition(now()::date)",
        "INSERT INTO worker_heartbeats (worker) VALUES ('x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)


@pytest.mark.requirement("tenancy:roles")
def test_the_application_deletes_history_only_of_a_tenant_that_is_being_deleted(app: Connection) -> None:
    tenant = make_tenant()
    HandJob(make_principal(tenant)).claim().finish()

    def deleted() -> tuple[int, int]:
        with app.transaction():
            app.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.id)])
            return app.execute("DELETE FROM job_events").rowcount, app.execute("DELETE FROM jobs").rowcount

    while_active = deleted()
    set_tenant_status(tenant.id, Tenant.Status.DELETING)
    events, jobs = deleted()

    assert while_active == (0, 0)
    assert events >= 3 and jobs == 1
