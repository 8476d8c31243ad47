"""What the platform's database roles are, and what they may not do."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

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
def test_the_application_cannot_delete_history_nor_read_the_partitions_directly(app: Connection) -> None:
    for statement in (
        "DELETE FROM jobs",
        "DELETE FROM job_events",
        "UPDATE job_events SET event_type = 'x'",
        "SELECT * FROM job_events_default",
        "SELECT ensure_job_events_partition(now()::date)",
        "INSERT INTO worker_heartbeats (worker) VALUES ('x')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)
