"""Every table of the database, as each role sees it: what belongs to a tenant is that tenant's alone."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction
from psycopg import sql

from apps.agents.definitions.services import create_agent
from apps.identity.principal import Principal
from apps.jobs.models import Job
from kernel.tenant_context import current_tenant_id, tenant_scope
from tests.by_hand import HandJob
from tests.by_hand_runs import HandRun, step_row
from tests.factories import make_principal, make_tenant
from tests.llm_rows import write_llm_rows
from tests.tool_rows import write_tool_rows

# What cineca_app may read although it belongs to no tenant, and why that is no secret.
SHARED = {
    "worker_heartbeats": "names and counts of worker processes; health shows as much",
}
# Tables with a tenant_id that are not fenced, and why that opens nothing.
CLOSED = {
    "users": "accounts are looked up before anybody knows the tenant; only cineca_issuer may read them",
}
# Tables whose rows without a tenant are every tenant's to read (kernel/rls.py share), and why: the platform offers
# these to all. Nobody changes them through cineca_app.
SHARED_ROWS = frozenset(
    {"providers", "model_instances", "model_defaults", "provider_manifests", "agents", "agent_versions"}
)
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def two(admin_url: str) -> tuple[Principal, Principal]:
    """A caller in each of two tenants, both with rows in every tenant-owned table, and the platform's own rows."""
    pair = make_principal(make_tenant()), make_principal(make_tenant())
    for tenant_id in (pair[0].tenant_id, pair[1].tenant_id, None):
        write_llm_rows(admin_url, tenant_id)
    for caller in pair:
        HandJob(caller).claim().report("hello").finish()
        HandRun(caller).change(session_id=None).claim().keep({}, {}).finish(step=step_row())  # its session can go
        create_agent(tenant_id=caller.tenant_id, name="own", fields={}, by=caller)
        with tenant_scope(caller.tenant_id), connections["default"].cursor() as cursor:
            cursor.execute(
                "INSERT INTO idempotency_keys (tenant_id, owner_sub, method, route, key, request_hash, resource_id, "
                "response_body, expires_at) VALUES (%s, 'x', 'POST', '/', 'k', 'h', gen_random_uuid(), '', now())",
                [caller.tenant_id],
            )
            cursor.execute(
                "INSERT INTO graph_changes (id, tenant_id, owner_sub, cypher, parameters, sha256, would_change, "
                "status, error_code, expires_at) "
                "VALUES (gen_random_uuid(), %s, 'x', '', '{}', '', '{}', 'proposed', '', now())",
                [caller.tenant_id],
            )
        write_tool_rows(admin_url, caller.tenant_id)
    return pair


def tables(superuser: Connection) -> dict[str, tuple[bool, bool, str | None]]:
    """Every table: row security enabled, forced, and the column that says whose a row is."""
    rows = superuser.execute(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, (SELECT attname FROM pg_attribute a "
        "WHERE a.attrelid = c.oid AND attname = 'tenant_id' AND NOT attisdropped) "
        "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = 'public'"
    ).fetchall()
    return {name: (on, forced, "id" if name == "tenants" else column) for name, on, forced, column in rows}


def app_may(superuser: Connection, table: str, privilege: str) -> bool:
    row = superuser.execute(
        "SELECT has_any_column_privilege('cineca_app', %s, %s)", [f"public.{table}", privilege]
    ).fetchone()
    return bool(row and row[0])


def as_tenant(connection: Connection, tenant_id: UUID | str | None) -> None:
    """Within an open transaction: what kernel.tenant_context does."""
    if tenant_id is not None:
        connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant_id)])


def count(connection: Connection, table: str, where: str = "true") -> int:
    query = sql.SQL("SELECT count(*) FROM {} WHERE " + where).format(sql.Identifier(table))  # type: ignore[arg-type]
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def tenant_tables(superuser: Connection) -> dict[str, str]:
    """The tables cineca_app may read, and their tenant column."""
    return {
        name: column
        for name, (_, _, column) in tables(superuser).items()
        if column and app_may(superuser, name, "SELECT")
    }


@pytest.mark.requirement("tenancy:every-table")
def test_every_table_is_fenced_or_closed_or_shared_for_a_reason(superuser: Connection) -> None:
    faults = []
    for name, (enabled, forced, column) in tables(superuser).items():
        readable = any(
            app_may(superuser, name, privilege) for privilege in ("SELECT", "INSERT", "UPDATE", "REFERENCES")
        )
        if column and not (enabled and forced) and (readable or name not in CLOSED):
            faults.append(f"{name} has {column} and no forced row-level security")
        elif readable and not column and name not in SHARED:
            faults.append(f"{name} has no tenant and cineca_app may use it")

    assert faults == []


@pytest.mark.requirement("tenancy:every-table")
def test_the_walk_meets_the_tables_we_know(superuser: Connection) -> None:
    assert set(tenant_tables(superuser)) == {
        "tenants", "jobs", "job_events", "idempotency_keys", "sessions", "session_steps", "audit_logs", "llm_calls",
        "llm_accounts", "llm_hours", "graph_changes", "agent_runs", "steps", "run_events", "run_tape",
        "tool_policies", "tool_invocations", "tool_approvals", "error_reports", "user_profiles",
        "consents", "files", "graph_archive_marks", *SHARED_ROWS,
    }  # fmt: skip
    assert "job_events_default" in tables(superuser)
    assert sum(name.startswith("job_events_2") for name in tables(superuser)) >= 4


@pytest.mark.requirement("tenancy:isolation")
def test_raw_sql_as_one_tenant_never_sees_or_touches_anothers_rows(
    superuser: Connection, app: Connection, two: tuple[Principal, Principal]
) -> None:
    mine, theirs = (caller.tenant_id for caller in two)

    for table, column in tenant_tables(superuser).items():
        total = count(superuser, table, f"{column} = '{mine}'")
        assert total > 0, table
        assert count(superuser, table, f"{column} = '{theirs}'") > 0, table
        with app.transaction():
            as_tenant(app, mine)
            seen = app.execute(f"SELECT {column} FROM {table} WHERE true OR {column} = '{theirs}'").fetchall()
            shared = count(superuser, table, f"{column} IS NULL") if table in SHARED_ROWS else 0
            assert {row[0] for row in seen} == ({mine, None} if shared else {mine}), table
            assert len(seen) == total + shared, table
            for verb in ("UPDATE", "DELETE"):
                if not superuser.execute("SELECT has_table_privilege('cineca_app', %s, %s)", [table, verb]).fetchone()[
                    0
                ]:
                    continue
                change = (
                    f"UPDATE {table} SET {column} = {column} WHERE {column} = '{theirs}' OR true RETURNING {column}"
                    if verb == "UPDATE"
                    else f"DELETE FROM {table} RETURNING {column}"
                )
                with app.transaction(force_rollback=True):
                    assert {row[0] for row in app.execute(change).fetchall()} <= {mine}, (verb, table)


@pytest.mark.requirement("tenancy:isolation")
def test_a_row_cannot_be_written_for_or_moved_to_another_tenant(
    app: Connection, two: tuple[Principal, Principal]
) -> None:
    mine, theirs = (caller.tenant_id for caller in two)
    insert = (
        "INSERT INTO jobs (id, tenant_id, type, status, owner_sub, payload_json, principal_json, priority, last_seq, "
        "attempt, crashes, max_attempts, token, request_id) "
        "VALUES (gen_random_uuid(), %s, 'parked', 'queued', 'x', '{}', '{}', 0, 0, 0, 0, 3, 0, '')"
    )

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"), app.transaction():
        as_tenant(app, mine)
        app.execute(insert, [theirs])
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"), app.transaction():
        as_tenant(app, mine)
        app.execute("UPDATE jobs SET tenant_id = %s", [theirs])


@pytest.mark.requirement("tenancy:fail-closed")
@pytest.mark.parametrize("context", [None, ""])
def test_with_no_tenant_set_there_are_no_rows(superuser: Connection, app: Connection, context: str | None) -> None:
    for table in tenant_tables(superuser):
        with app.transaction():
            as_tenant(app, context)
            assert count(app, table) == 0, table


@pytest.mark.requirement("tenancy:fail-closed")
@pytest.mark.parametrize("context", ["x", "' OR true --", "00000000-0000-0000-0000-00000000000Z"])
def test_a_tenant_that_is_no_id_is_an_error_not_a_view_of_everything(app: Connection, context: str) -> None:
    with pytest.raises(psycopg.DataError), app.transaction():
        as_tenant(app, context)
        count(app, "jobs")


@pytest.mark.requirement("tenancy:composite-key")
@pytest.mark.requirement("security:29")
def test_an_event_cannot_point_at_another_tenants_job(app: Connection, two: tuple[Principal, Principal]) -> None:
    mine, theirs = two
    job = HandJob(theirs)
    with tenant_scope(theirs.tenant_id):
        created_at = Job.objects.get(id=job.id).created_at

    with pytest.raises(psycopg.errors.ForeignKeyViolation), app.transaction():
        as_tenant(app, mine.tenant_id)
        app.execute(
            "INSERT INTO job_events (job_id, seq_id, job_created_at, tenant_id, event_type, event_json) "
            "VALUES (%s, 99, %s, %s, 'log', '{}')",
            [job.id, created_at, mine.tenant_id],
        )


@pytest.mark.requirement("tenancy:pooled-connection")
def test_a_scope_leaves_nothing_behind_on_its_connection(two: tuple[Principal, Principal]) -> None:
    def seen_without_a_scope() -> int:
        with transaction.atomic(using="default"), connections["default"].cursor() as cursor:
            cursor.execute("SELECT count(*), max(coalesce(current_setting('app.tenant_id', true), '')) FROM jobs")
            rows, setting = cursor.fetchone()
        assert setting in ("", None)
        return int(rows)

    with tenant_scope(two[0].tenant_id):
        assert Job.objects.exists()
    after_success = seen_without_a_scope()
    with pytest.raises(DatabaseError), tenant_scope(two[0].tenant_id), connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    after_error = seen_without_a_scope()
    with pytest.raises(KeyboardInterrupt), tenant_scope(two[1].tenant_id):
        raise KeyboardInterrupt
    after_interrupt = seen_without_a_scope()

    assert (after_success, after_error, after_interrupt) == (0, 0, 0)
    assert current_tenant_id() is None


@pytest.mark.requirement("tenancy:pooled-connection")
def test_scopes_of_two_tenants_in_turn_see_their_own_each(two: tuple[Principal, Principal]) -> None:
    for _ in range(200):
        for caller in two:
            with tenant_scope(caller.tenant_id):
                assert set(Job.objects.values_list("tenant_id", flat=True)) == {caller.tenant_id}


@pytest.mark.requirement("tenancy:pooled-connection")
def test_a_scope_inside_anothers_is_a_mistake(two: tuple[Principal, Principal]) -> None:
    with tenant_scope(two[0].tenant_id):
        with tenant_scope(two[0].tenant_id):
            assert current_tenant_id() == two[0].tenant_id
        with pytest.raises(RuntimeError), tenant_scope(two[1].tenant_id):
            pass
        with pytest.raises(TypeError), tenant_scope(str(uuid4())):  # type: ignore[arg-type]
            pass


@pytest.mark.requirement("tenancy:isolation")
def test_the_platforms_own_rows_are_everybodys_to_read_and_nobodys_to_change(
    app: Connection, two: tuple[Principal, Principal]
) -> None:
    for table in SHARED_ROWS - {"model_defaults"}:
        with app.transaction(force_rollback=True):
            as_tenant(app, two[0].tenant_id)
            assert count(app, table, "tenant_id IS NULL") > 0, table
            assert app.execute(f"UPDATE {table} SET id = id WHERE tenant_id IS NULL RETURNING id").fetchall() == []
            assert app.execute(f"DELETE FROM {table} WHERE tenant_id IS NULL RETURNING id").fetchall() == []
        refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ForeignKeyViolation)
        with pytest.raises(refused), app.transaction():
            as_tenant(app, two[0].tenant_id)
            app.execute(f"UPDATE {table} SET tenant_id = NULL")


@pytest.mark.requirement("tenancy:isolation")
def test_the_keys_of_providers_are_not_the_applications_to_read(
    app: Connection, superuser: Connection, two: tuple[Principal, Principal]
) -> None:
    assert count(superuser, "provider_secrets") >= 2

    for context in (None, two[0].tenant_id):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
            as_tenant(app, context)
            app.execute("SELECT * FROM provider_secrets")
