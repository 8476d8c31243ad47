"""The audit log under attack: by who may write it, by who may read it, and by what is written into it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import settings

from apps.audit import trail
from apps.audit.models import AuditLog
from apps.audit.verification import verify_chain
from kernel.tenant_context import tenant_scope
from tests.clients import Api
from tests.factories import make_tenant, make_token

AUDIT = "/v1/admin/audit"
Connection = psycopg.Connection[Any]
ALIASES = ("default", "engine", "issuer")


def connect(alias: str) -> Connection:
    database = settings.DATABASES[alias]
    return psycopg.connect(
        host=database["HOST"], port=database["PORT"], dbname=database["NAME"], user=database["USER"],
        password=database["PASSWORD"], autocommit=True,
    )  # fmt: skip


@pytest.fixture
def chain() -> UUID:
    """Another tenant's chain, with rows in it."""
    tenant = make_tenant()
    with tenant_scope(tenant.id):
        trail.record(tenant_id=tenant.id, actor="ada", action="thing.done")
    return UUID(str(tenant.id))


@pytest.mark.requirement("audit:append-only")
@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logs SET actor = 'x'",
        "UPDATE audit_logs SET actor = 'x' WHERE false",
        "DELETE FROM audit_logs",
        "TRUNCATE audit_logs",
        "DELETE FROM audit_logs_default",
        "INSERT INTO audit_logs_default (tenant_id, actor, action, outcome) "
        "VALUES (gen_random_uuid(), 'x', 'x', 'denied')",
        "ALTER TABLE audit_logs DISABLE TRIGGER ALL",
        "ALTER TABLE audit_logs DETACH PARTITION audit_logs_default",
        "DROP TABLE audit_logs",
        "DROP TRIGGER audit_append_only ON audit_logs",
        "CREATE OR REPLACE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "SELECT audit_chain()",
        "UPDATE audit_heads SET seq = 0",
        "INSERT INTO audit_heads VALUES (gen_random_uuid(), 0, sha256('x'))",
        "DELETE FROM audit_heads",
        "INSERT INTO audit_logs (tenant_id, actor, action, outcome, seq) "
        "VALUES (gen_random_uuid(), 'x', 'x', 'denied', 9)",
        "INSERT INTO audit_logs (tenant_id, actor, action, outcome, hash) "
        "VALUES (gen_random_uuid(), 'x', 'x', 'denied', sha256('x'))",
        "INSERT INTO audit_logs (tenant_id, actor, action, outcome, created_at) "
        "VALUES (gen_random_uuid(), 'x', 'x', 'denied', now() - interval '1 day')",
    ],
)
def test_no_role_of_the_platform_changes_deletes_or_forges_a_row(alias: str, statement: str) -> None:
    with connect(alias) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.requirement("audit:append-only")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_logs SET actor = 'x' WHERE tenant_id = '{chain}'",
        "DELETE FROM audit_logs WHERE tenant_id = '{chain}'",
        "TRUNCATE audit_logs",
        "TRUNCATE audit_logs_default",
    ],
)
def test_the_triggers_refuse_even_the_superuser(admin_url: str, chain: UUID, statement: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        partitions = superuser.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit_logs'::regclass"
        )

        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            superuser.execute(statement.format(chain=chain).encode())
        for (partition,) in partitions.fetchall():
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
                superuser.execute(f"TRUNCATE {partition}".encode())
    assert verify_chain(chain).ok


@pytest.mark.requirement("audit:append-only")
def test_what_a_superuser_says_of_number_and_hashes_is_overwritten(admin_url: str, chain: UUID) -> None:
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute(
            "INSERT INTO audit_logs (tenant_id, actor, action, outcome, seq, prev_hash, hash) "
            "VALUES (%s, 'x', 'x', 'denied', 99, sha256('a'), sha256('b'))",
            [chain],
        )

    report = verify_chain(chain)
    assert (report.ok, report.head_seq) == (True, 3)


@pytest.mark.requirement("security:35")
def test_raw_sql_as_one_tenant_reads_and_writes_no_other_chain(chain: UUID, tenant: Any) -> None:
    insert = "INSERT INTO audit_logs (tenant_id, actor, action, outcome) VALUES (%s, 'x', 'x', 'denied')"

    with connect("default") as connection:
        with connection.transaction():
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.id)])
            seen = connection.execute(
                "SELECT tenant_id FROM audit_logs WHERE true OR tenant_id = %s", [chain]
            ).fetchall()
            with connection.cursor().copy("COPY audit_logs (tenant_id) TO STDOUT") as copy:
                copied = b"".join(bytes(part) for part in copy)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"), connection.transaction():
            connection.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.id)])
            connection.execute(insert, [chain])
        without_a_tenant = connection.execute("SELECT count(*) FROM audit_logs").fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM audit_heads")

    assert {row[0] for row in seen} == {tenant.id}
    assert str(chain).encode() not in copied
    assert without_a_tenant == (0,)
    assert verify_chain(chain).ok


@pytest.mark.requirement("security:35")
def test_statistics_tell_the_application_nothing_of_the_log() -> None:
    with connect("default") as connection:
        rows = connection.execute(
            "SELECT tablename, attname FROM pg_stats WHERE tablename LIKE 'audit%' AND most_common_vals IS NOT NULL"
        ).fetchall()

    assert rows == []


@pytest.mark.requirement("audit:readers")
def test_rows_of_another_tenant_are_invisible_to_an_auditor(api_url: str, tenant: Any, chain: UUID) -> None:
    auditor = Api(api_url, make_token(tenant, role="auditor"))

    listed = auditor.get(f"{AUDIT}?limit=50").json["items"]
    exported = [json.loads(line) for line in auditor.get(f"{AUDIT}/export").body.splitlines()]
    searched = auditor.get(f"{AUDIT}?resource_id={chain}").json
    acting = auditor.get(AUDIT, X_Tenant_Id=str(chain))

    assert {row["tenant_id"] for row in listed + exported} == {str(tenant.id)}
    assert (searched["items"], searched["total"]) == ([], 0)
    assert acting.status in (200, 403, 404)
    assert str(chain) not in acting.body.decode() or acting.status != 200


STRANGE = [
    "'); DROP TABLE audit_logs; --",
    "%s %(x)s {0} {} %n%n%n",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "<script>alert(1)</script>",
    'line\r\nSet-Cookie: a=b\r\n\r\n{"seq": 1}',
    "\u202egnp.exe \u0000 \ud800",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.requirement("security:37")
@pytest.mark.requirement("security:112")
@pytest.mark.parametrize("text", STRANGE)
def test_whatever_is_written_comes_back_as_the_text_it_was(api_url: str, text: str, tenant: Any) -> None:
    auditor = Api(api_url, make_token(tenant, role="auditor"))
    stored = text.replace("\0", "\ufffd").replace("\ud800", "\ufffd")

    with tenant_scope(tenant.id):
        trail.record(
            tenant_id=tenant.id, actor=text, action="tenant.updated", resource_id=text, error_message=text,
            details={"name": text, "all": [text]},
        )  # fmt: skip
    [item] = auditor.get(f"{AUDIT}?action=tenant.updated").json["items"]
    lines = auditor.get(f"{AUDIT}/export?action=tenant.updated").body.splitlines()

    assert (item["actor"], item["resource_id"], item["error_message"]) == (stored, stored, stored)
    assert item["details"] == {"name": stored, "all": [stored]}
    assert [json.loads(line)["details"] for line in lines] == [{"name": stored, "all": [stored]}]
    assert auditor.get(f"{AUDIT}/verify").json["ok"] is True
    with tenant_scope(tenant.id):
        assert AuditLog.objects.filter(actor=stored).count() == 1


@pytest.mark.requirement("security:28")
@pytest.mark.parametrize("change", [lambda token: token[:-2] + "xx", lambda token: token])
def test_a_page_token_is_worth_nothing_when_edited_or_to_another_tenant(
    api_url: str, tenant: Any, change: Callable[[str], str]
) -> None:
    with tenant_scope(tenant.id):
        for _ in range(3):
            trail.record(tenant_id=tenant.id, actor="ada", action="thing.done")
    mine = Api(api_url, make_token(tenant, role="auditor"))
    theirs = Api(api_url, make_token(make_tenant(), role="auditor"))
    token = mine.get(f"{AUDIT}?limit=1").json["next_page_token"]

    caller = theirs if change(token) == token else mine
    answer = caller.get(f"{AUDIT}?limit=1&page_token={change(token)}")

    assert (answer.status, answer.json["code"]) == (400, "invalid_cursor")
