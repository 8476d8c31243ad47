"""Deleting a tenant: two steps, everything exported, everything erased, and nothing of anybody else's."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import redis
from django.apps import apps
from django.conf import settings

from apps.audit.models import AuditLog
from apps.identity.models import User
from apps.identity.principal import Principal
from apps.identity.services import create_account
from apps.jobs.services import create_job
from apps.ops import reports
from apps.tenancy import deletion, exports, ownership, tool_cache
from apps.tenancy.consents import Fact, record_consent
from apps.tenancy.models import Tenant
from apps.tenancy.profiles import write_profile
from apps.tenancy.selectors import find_tenant
from apps.tenancy.services import create_tenant
from kernel import engine_db
from kernel.db_router import ISSUER_APPS
from kernel.errors import ForbiddenError
from kernel.redis_keys import JOBS_EVENTS, JOBS_STATE, TENANT_CONFIG, TOOLS_CACHE
from kernel.tenant_context import tenant_scope
from tests.by_hand import HandJob
from tests.clients import Api, wait_for
from tests.factories import make_principal, make_tenant, make_token, platform_tenant
from workers.execution import Execution
from workers.handlers import tenant_offboard


def rows_of(admin_url: str, tenant_id: UUID) -> dict[str, int]:
    """Rows by table, as a superuser sees them, of every table that has a tenant_id."""
    with psycopg.connect(admin_url) as connection:
        tables = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
            "WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
        ).fetchall()
        counts = {}
        for (table,) in tables:
            row = connection.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [tenant_id]).fetchone()
            counts[table] = row[0] if row else 0
    return {table: count for table, count in counts.items() if count and not table.startswith("audit_")}


def furnish(tenant: Tenant) -> Principal:
    """Rows in the tables of jobs, an account, an open job, and what its people and tools keep."""
    caller = make_principal(tenant)
    HandJob(caller).claim().report("hello").finish()
    create_job(caller, type_name="test", payload={"secret": f"of {tenant.slug}"}, idempotency_key=uuid4().hex)
    create_account(username=f"ada@{tenant.slug}.example", email="ada@x.example", tenant_id=tenant.id, roles=["user"])
    write_profile(caller, {"language": "it"}, how="set")
    reports.record(caller, uuid4(), reports.Reported("Timeout", "It took too long."))
    record_consent(caller, Fact(uuid4(), "research", True))
    tool_cache.put(tenant.id, "kept", tenant.slug, ttl_s=600)
    return caller


def attempt(tenant: Tenant, by: Principal | None = None) -> Execution:
    """One attempt at the tenant's offboarding, as the engine hands it to the handler."""
    actor = by or make_principal(platform_tenant(), role="admin")
    row = {
        "id": uuid4(), "token": 1, "type": "tenant.offboard", "attempt": 1, "crashes": 0, "max_attempts": 3,
        "tenant_id": actor.tenant_id, "principal_json": actor.as_json(), "request_id": "", "last_seq": 2,
        "correlation_id": "", "traceparent": "", "retry_of": None,
        "payload_json": {"tenant_id": str(tenant.id), "confirmation": deletion.confirmation(tenant)},
    }  # fmt: skip
    return Execution(row, queue_time_limit_s=600, emit=lambda event: None)


@pytest.fixture(autouse=True)
def changes_spread_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenant_offboard, "CONFIG_SPREADS_IN_S", 0)


@pytest.mark.requirement("tenants:deletion")
def test_deleting_takes_two_steps(platform_admin: Api) -> None:
    tenant = make_tenant()
    furnish(tenant)
    path = f"/v1/tenants/{tenant.id}"

    unconfirmed = platform_admin.delete(path)
    preview = platform_admin.get(f"{path}/deletion-preview").json
    forged = platform_admin.delete(f"{path}?confirm={preview['confirmation'][:-2]}xx")
    of_another = platform_admin.get(f"/v1/tenants/{make_tenant().id}/deletion-preview").json["confirmation"]

    assert (unconfirmed.status, unconfirmed.json["code"]) == (428, "confirmation_required")
    assert preview["counts"]["jobs"] == 2 and preview["counts"]["job_events"] >= 4
    assert preview["counts"]["idempotency_keys"] == 1
    assert forged.status == platform_admin.delete(f"{path}?confirm={of_another}").status == 428
    assert platform_admin.get(path).json["status"] == "active"


@pytest.mark.requirement("tenants:deletion")
def test_a_confirmation_is_for_what_was_looked_at(platform_admin: Api) -> None:
    tenant = make_tenant()
    path = f"/v1/tenants/{tenant.id}"
    confirmation = platform_admin.get(f"{path}/deletion-preview").json["confirmation"]
    platform_admin.patch(path, {"metadata": {"x": 1}}, If_Match="*")

    answer = platform_admin.delete(f"{path}?confirm={confirmation}")

    assert (answer.status, answer.json["code"]) == (409, "confirmation_outdated")


@pytest.mark.requirement("tenants:offboarding")
@pytest.mark.requirement("security:40")
def test_a_tenant_is_exported_then_erased_while_its_jobs_run(
    platform_admin: Api, worker: Any, api_url: str, admin_url: str, redis_client: redis.Redis
) -> None:
    tenant, neighbour = make_tenant(), make_tenant()
    for each in (tenant, neighbour):
        furnish(each)
    caller = Api(api_url, make_token(tenant))
    running = caller.submit("demo", {"duration_ms": 60_000})
    caller.wait_until(running, "running")
    before = rows_of(admin_url, neighbour.id)
    confirmation = platform_admin.get(f"/v1/tenants/{tenant.id}/deletion-preview").json["confirmation"]

    accepted = platform_admin.delete(f"/v1/tenants/{tenant.id}?confirm={confirmation}")
    assert accepted.status == 202, accepted.body
    job = platform_admin.wait_until(accepted.json["job_id"], "finished", "failed")

    assert job["status"] == "finished", job["error"]
    assert rows_of(admin_url, tenant.id) == {}
    assert find_tenant(tenant.id) is None
    assert rows_of(admin_url, neighbour.id) == before
    assert not User.objects.filter(tenant_id=tenant.id).exists()
    keys = (JOBS_STATE(id=running), JOBS_EVENTS(id=running), TENANT_CONFIG(id=tenant.id))
    assert [redis_client.exists(key) for key in keys] == [0, 0, 0]
    kept = [redis_client.exists(TOOLS_CACHE(tenant=each.id, key="kept")) for each in (tenant, neighbour)]
    assert kept == [0, 1]
    wait_for(lambda: caller.get("/v1/auth/me").status == 401, what="the refusal of its tokens")
    archive = platform_admin.get(f"/v1/tenants/exports/{job['result']['export']}")
    assert archive.headers["content-type"] == "application/zip"
    assert hashlib.sha256(archive.body).hexdigest() == job["result"]["sha256"]
    with zipfile.ZipFile(io.BytesIO(archive.body)) as opened:
        manifest = json.loads(opened.read("manifest.json"))
        jobs = [json.loads(line) for line in opened.read("jobs.ndjson").splitlines()]
        users = [json.loads(line) for line in opened.read("users.ndjson").splitlines()]
    assert manifest["slug"] == tenant.slug
    assert manifest["files"]["jobs.ndjson"]["rows"] == len(jobs) == 3
    assert {row["tenant_id"] for row in jobs} == {str(tenant.id)}
    assert {row["status"] for row in jobs} == {"finished", "cancelled"}
    assert [manifest["files"][f"{table}.ndjson"]["rows"] for table in ("user_profiles", "consents")] == [1, 1]
    assert [set(user) & {"password"} for user in users] == [set()]
    assert f"of {tenant.slug}" in str(jobs) and f"of {neighbour.slug}" not in str(jobs)
    actions = set(AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=tenant.id).values_list("action", flat=True))
    assert {"tenant.deleting", "data.exported", "tenant.deleted"} <= actions


@pytest.mark.requirement("tenants:offboarding")
@pytest.mark.requirement("security:40")
def test_a_tenant_of_the_same_slug_sees_nothing_of_the_old_one(api_url: str) -> None:
    old = make_tenant()
    caller = furnish(old)
    tenant_offboard.run(attempt(old))

    new = create_tenant(old.slug, old.name)
    api = Api(api_url, make_token(new, sub=caller.sub))
    as_admin = Api(api_url, make_token(new, role="admin"))

    assert new.id != old.id
    assert api.get("/v1/jobs").json["total"] == 0
    assert as_admin.get("/v1/admin/jobs").json["total"] == 0
    assert as_admin.get(f"/v1/tenants/{old.id}").status == 404


@pytest.mark.requirement("tenants:offboarding-resumes")
def test_killed_at_any_point_the_next_attempt_finishes(
    monkeypatch: pytest.MonkeyPatch, admin_url: str, redis_client: redis.Redis
) -> None:
    """The attempt dies after 0, 1, 2, ... of the calls that do something, until one gets through."""

    class Killed(BaseException):
        pass

    tenant = make_tenant()
    furnish(tenant)
    left = 0

    def mortal(module: Any, name: str) -> None:
        real = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            done = real(*args, **kwargs)
            if left == 0:
                raise Killed  # done, and nobody knows
            left -= 1
            return done

        monkeypatch.setattr(module, name, call)

    mortal(tenant_offboard.services, "set_tenant_status")
    mortal(tenant_offboard, "cancel_job")
    mortal(exports, "_add")
    mortal(exports, "_sync_directory")
    mortal(tenant_offboard.services, "note_export")
    mortal(ownership, "erase_rows")
    mortal(tenant_offboard.accounts, "erase_accounts")
    mortal(tenant_offboard.services, "remove_tenant")
    deaths = 0
    result: dict[str, Any] = {}
    while not result and deaths < 200:
        left = deaths
        present = find_tenant(tenant.id) or tenant
        try:
            result = tenant_offboard.run(attempt(present))
        except Killed:
            deaths += 1

    assert result, "no attempt got through"
    assert deaths > 15
    assert find_tenant(tenant.id) is None
    assert rows_of(admin_url, tenant.id) == {}
    folder = Path(settings.BASE_DIR) / settings.EXPORTS_DIR
    (archive,) = folder.glob(f"*-{tenant.id.hex}.zip")
    assert not list(folder.glob("*.part"))
    with zipfile.ZipFile(archive) as opened:
        assert json.loads(opened.read("manifest.json"))["files"]["jobs.ndjson"]["rows"] == 2
    assert archive.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.requirement("tenants:offboarding-rights")
def test_nobody_else_makes_the_job(api_url: str, platform_admin: Api, worker: Any) -> None:
    tenant = make_tenant()
    payload = {"tenant_id": str(tenant.id), "confirmation": deletion.confirmation(tenant)}
    wanted = {"type": "tenant.offboard", "payload": payload}
    own_admin = Api(api_url, make_token(tenant, role="admin"))
    operator = Api(api_url, make_token(platform_tenant(), role="operator"))
    foreign = {**payload, "confirmation": deletion.confirmation(make_tenant())}

    refused = [
        own_admin.post("/v1/jobs", wanted).status,
        operator.post("/v1/jobs", wanted).status,
        platform_admin.post("/v1/jobs", {**wanted, "payload": {**payload, "confirmation": "x"}}).status,
        platform_admin.post("/v1/jobs", {**wanted, "payload": foreign}).status,
        platform_admin.post("/v1/jobs", {**wanted, "payload": {"tenant_id": str(tenant.id)}}).status,
    ]

    assert refused == [403, 403, 428, 428, 422]
    assert "tenant.offboard" not in str(platform_admin.get("/v1/jobs/types").json)
    assert platform_admin.get(f"/v1/tenants/{tenant.id}").json["status"] == "active"


@pytest.mark.requirement("tenants:offboarding-rights")
def test_the_handler_asks_for_the_submitters_rights_again(tenant: Tenant) -> None:
    furnish(tenant)

    for actor in (make_principal(tenant, role="admin"), make_principal(platform_tenant(), role="operator")):
        with pytest.raises(ForbiddenError):
            tenant_offboard.run(attempt(tenant, by=actor))

    assert find_tenant(tenant.id) is not None


@pytest.mark.requirement("tenants:every-table-erased")
def test_no_table_of_tenants_rows_is_forgotten(tenant: Tenant) -> None:
    by_models = {
        model._meta.db_table
        for model in apps.get_models()
        if model._meta.app_label not in ISSUER_APPS
        and {"tenant", "tenant_id"} & {field.name for field in model._meta.get_fields()}
    }
    tables = ownership.owned_tables(tenant.id)
    names = {table.name for table in tables}

    assert by_models - set(ownership.ELSEWHERE) <= names
    assert {"jobs", "job_events", "idempotency_keys", "sessions", "session_steps", "audit_logs"} <= names
    for table in tables:
        assert table.key, table
        if not table.is_kept:
            assert ownership.erase_rows(tenant.id, table, lambda: None) == 0


@pytest.mark.requirement("tenants:history-stays")
def test_history_is_deleted_with_its_tenant_and_at_no_other_time(tenant: Tenant) -> None:
    furnish(tenant)
    jobs = next(table for table in ownership.owned_tables(tenant.id) if table.name == "jobs")

    assert ownership.erase_rows(tenant.id, jobs, lambda: None) == 0
    with tenant_scope(tenant.id):
        assert ownership.row_counts(tenant.id)["jobs"] == 2


@pytest.mark.requirement("tenants:exports")
@pytest.mark.requirement("security:136")
@pytest.mark.parametrize(
    "name",
    ["..%2f..%2fetc%2fpasswd", "%2e%2e", "x.zip", "manifest.json", f"a-{'0' * 32}.zip", f"a%00-{'0' * 32}.zip"],
)
def test_an_export_has_a_name_and_no_path(platform_admin: Api, name: str) -> None:
    answer = platform_admin.get(f"/v1/tenants/exports/{name}")

    assert answer.status in (400, 404)
    assert b"root:" not in answer.body


@pytest.mark.requirement("security:136")
def test_a_link_in_the_directory_is_no_export(platform_admin: Api) -> None:
    name = f"link-{uuid4().hex}.zip"
    (exports.directory() / name).symlink_to("/etc/passwd")

    assert platform_admin.get(f"/v1/tenants/exports/{name}").status == 404


@pytest.mark.requirement("tenants:exports")
def test_a_download_is_on_record(platform_admin: Api, tmp_path: Path, spawn: Callable[..., Any]) -> None:
    name = f"some-{uuid4().hex}.zip"
    (exports.directory() / name).write_bytes(b"PK" + b"x" * 300_000)

    answer = platform_admin.get(f"/v1/tenants/exports/{name}")

    assert (answer.status, len(answer.body)) == (200, 300_002)
    rows = AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=platform_tenant().id, resource_id=name)
    assert [row.action for row in rows] == ["data.exported"]
