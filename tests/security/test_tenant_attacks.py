"""Attacks 23 to 37 on the walls between tenants, at a running server and at the database behind it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from django.conf import settings

from apps.audit.models import AuditLog
from apps.identity.access import PUBLIC, ROUTES
from apps.tenancy.models import Tenant
from apps.tools import approvals
from apps.tools.spec import DECLARED
from kernel import engine_db
from tests.by_hand import HandJob
from tests.clients import Answer, Api
from tests.factories import make_model, make_principal, make_tenant, make_token, platform_tenant

ROOT = Path(__file__).resolve().parents[2]
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "steps"): {"type": "user", "message": "hello"},
    ("POST", "<str:approval_id>"): {"decision": "approve", "arguments_sha256": "0" * 64},
    ("PATCH", ""): {},
}
# Routes whose parameter names nothing of a tenant's.
NOT_AN_ID = {"<str:name>"}


@pytest.fixture
def theirs() -> Tenant:
    return make_tenant()


@pytest.fixture
def victim(api_url: str, theirs: Tenant) -> Api:
    """A user of the other tenant."""
    return Api(api_url, make_token(theirs))


@pytest.fixture
def attacker(api_url: str, tenant: Tenant) -> Api:
    """An administrator of its own tenant."""
    return Api(api_url, make_token(tenant, role="admin"))


def belongings(victim: Api, theirs: Tenant) -> dict[str, str]:
    """One id of everything the other tenant has, by the name of the path's parameter."""
    session = victim.post("/v1/sessions", {"title": "theirs"}).json["session_id"]
    step = victim.post(f"/v1/sessions/{session}/steps", {"type": "user", "message": "theirs"}).json
    provider, instance = make_model(theirs.id)
    return {
        "provider_id": str(provider.id),
        "instance_id": str(instance.id),
        "job_id": victim.submit("test"),
        "run_id": victim.post("/v1/agent-runs", {"prompt": "theirs"}).json["run_id"],
        "session_id": session,
        "step_id": str(step.get("step_id") or step["id"]),
        "file_id": victim.request("POST", "/v1/files?name=theirs.csv", b"a,b\n", Content_Type="text/csv").json["id"],
        "approval_id": _waiting(theirs),
        "tenant_id": str(theirs.id),
    }


def _waiting(theirs: Tenant) -> str:
    """A call in the other tenant that waits for a person."""
    asked = approvals.Asked(make_principal(theirs, "curator"), DECLARED["crud.delete_node"], {"key": "x"}, "mcp")
    return str(approvals.ask(asked).id)


def routes_with_ids() -> list[tuple[str, str]]:
    """(method, route) of all routes of the API that name a thing in their path."""
    return [
        (method, route)
        for route, methods in ROUTES.items()
        if route.startswith("/v1/") and "<" in route and not any(name in route for name in NOT_AN_ID)
        for method, needed in methods.items()
        if needed != PUBLIC
    ]


def shape(answer: Answer, ids: dict[str, str]) -> str:
    """The answer's body without what is of this one request."""
    text = answer.body.decode()
    for value in ids.values():
        text = text.replace(value, "ID")
    body = json.loads(text)
    for name in ("request_id", "correlation_id", "trace_id"):
        body.pop(name, None)
        body.get("extensions", {}).pop(name, None)
    body.get("extensions", {}).pop("timestamp", None)
    return json.dumps(body, sort_keys=True)


@pytest.mark.requirement("security:23")
def test_ids_of_another_tenant_look_like_ids_that_never_were(attacker: Api, victim: Api, theirs: Tenant) -> None:
    real = belongings(victim, theirs)
    routes = routes_with_ids()
    assert len(routes) >= 15

    for method, route in routes:
        names = re.findall(r"<str:(\w+)>", route)
        assert set(names) <= set(real), f"{route}: say in belongings() what a foreign {names} is"
        never = {name: str(uuid4()) for name in names}
        body = BODIES.get((method, route.rsplit("/", 1)[-1]), {} if method == "PATCH" else None)
        foreign, random = (
            attacker.request(method, re.sub(r"<str:(\w+)>", lambda m: ids[m[1]], route), body, If_Match="*")  # noqa: B023
            for ids in (real, never)
        )

        assert foreign.status == random.status == 404, (method, route, foreign.status, random.status)
        assert shape(foreign, real) == shape(random, never), (method, route)
    assert victim.get(f"/v1/sessions/{real['session_id']}").json["status"] == "active"


@pytest.mark.requirement("security:24")
def test_their_ids_in_bodies_filters_keys_and_streams_do_nothing(
    api_url: str, attacker: Api, victim: Api, theirs: Tenant
) -> None:
    real = belongings(victim, theirs)
    key = uuid4().hex
    first = victim.post("/v1/jobs", {"type": "test"}, Idempotency_Key=key)

    same_key = attacker.post("/v1/jobs", {"type": "test"}, Idempotency_Key=key)
    filtered = attacker.get(f"/v1/admin/jobs?owner={first.json['owner_sub']}")
    their_session = attacker.post("/v1/sessions", {"session_id": real["session_id"], "title": "mine"})
    stream = attacker.get(f"/v1/jobs/{real['job_id']}/events", Accept="text/event-stream", Last_Event_ID="1")

    assert same_key.headers["idempotency-replayed"] == "false"
    assert same_key.json["id"] != first.json["id"]
    assert filtered.json["total"] == 0
    assert their_session.status in (404, 409, 422)
    assert "theirs" not in their_session.body.decode()
    assert stream.status == 404
    assert victim.get(f"/v1/sessions/{real['session_id']}").json["title"] == "theirs"


@pytest.mark.requirement("security:25")
def test_no_field_or_parameter_takes_a_caller_out_of_its_tenant(
    api_url: str, attacker: Api, tenant: Tenant, theirs: Tenant
) -> None:
    wanted = {"type": "test", "payload": {"tenant_id": str(theirs.id)}}

    in_body = attacker.post("/v1/jobs", {**wanted, "tenant_id": str(theirs.id)})
    in_query = [attacker.get(f"/v1/{path}?tenant_id={theirs.id}") for path in ("jobs", "sessions", "tenants")]
    in_header = attacker.post("/v1/jobs", wanted, X_Tenant_Id=str(theirs.id))
    in_payload = attacker.post("/v1/jobs", wanted)

    assert in_body.status == 422
    assert [answer.status for answer in in_query] == [400, 400, 400]
    assert (in_header.status, in_header.json["code"]) == (403, "cross_tenant_refused")
    assert in_payload.json["tenant_id"] == str(tenant.id)


@pytest.mark.requirement("security:28")
def test_a_page_token_is_worth_nothing_edited_to_others_or_elsewhere(api_url: str, victim: Api, theirs: Tenant) -> None:
    for _ in range(3):
        victim.submit("test")
        victim.post("/v1/sessions", {})
    token = victim.get("/v1/jobs?limit=1").json["next_page_token"]
    another = Api(api_url, make_token(make_tenant()))
    colleague = Api(api_url, make_token(theirs))

    assert victim.get(f"/v1/jobs?limit=1&page_token={token}").status == 200
    middle = len(token) // 2
    edited = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    refused = [
        victim.get(f"/v1/jobs?limit=1&page_token={edited}"),
        victim.get(f"/v1/jobs?limit=1&status=queued&page_token={token}"),
        victim.get(f"/v1/sessions?limit=1&page_token={token}"),
        another.get(f"/v1/jobs?limit=1&page_token={token}"),
        colleague.get(f"/v1/jobs?limit=1&page_token={token}"),
    ]

    assert [answer.status for answer in refused] == [400] * 5


@pytest.mark.requirement("security:30")
def test_keys_and_names_of_one_tenant_do_not_collide_with_anothers(attacker: Api, victim: Api) -> None:
    key = uuid4().hex

    sessions = [api.post("/v1/sessions", {"title": "same"}, Idempotency_Key=key) for api in (victim, attacker)]
    jobs = [api.post("/v1/jobs", {"type": "test"}, Idempotency_Key=key) for api in (victim, attacker)]

    assert [answer.status for answer in sessions] == [201, 201]
    assert [answer.status for answer in jobs] == [202, 202]
    assert len({answer.json["id"] for answer in jobs}) == 2


@pytest.mark.requirement("security:33")
def test_ten_thousand_interleaved_units_of_work_over_two_connections_leak_nothing() -> None:
    tenants = [make_tenant() for _ in range(6)]
    for tenant in tenants:
        for _ in range(3):
            HandJob(make_principal(tenant))
    environment = {"AGENTIC_DB_POOL_MAX": "2", "AGENTIC_DB_POOL_WAIT_S": "20"}

    done = subprocess.run(
        [sys.executable, "-m", "tests.interleaved", *(str(tenant.id) for tenant in tenants)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {"units": 10_000, "leaks": []}


@pytest.mark.requirement("security:35")
def test_views_functions_statistics_and_copy_show_no_more_than_the_tables(
    admin_url: str, tenant: Tenant, theirs: Tenant
) -> None:
    for each in (tenant, theirs):
        HandJob(make_principal(each)).claim().finish()
    database = settings.DATABASES["default"]
    with psycopg.connect(admin_url, autocommit=True) as superuser:
        superuser.execute("ANALYZE jobs")
        views = superuser.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm' OR "
            "(relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)))"
        ).fetchall()
        definers = superuser.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef "
            "AND has_function_privilege('cineca_app', oid, 'EXECUTE') AND prorettype <> 'trigger'::regtype"
        ).fetchall()
    with psycopg.connect(
        host=database["HOST"], port=database["PORT"], dbname=database["NAME"], user=database["USER"],
        password=database["PASSWORD"],
    ) as app:  # fmt: skip
        statistics = app.execute(
            "SELECT tablename, attname FROM pg_stats WHERE tablename IN ('jobs', 'job_events', 'tenants')"
        ).fetchall()
        with app.cursor().copy("COPY (SELECT tenant_id FROM jobs) TO STDOUT") as copied:
            without = list(copied.rows())
        app.execute("SELECT set_config('app.tenant_id', %s, true)", [str(tenant.id)])
        with app.cursor().copy("COPY (SELECT tenant_id FROM jobs) TO STDOUT") as copied:
            own = {row[0] for row in copied.rows()}

    assert (views, definers, statistics, without) == ([], [], [], [])
    assert own == {str(tenant.id)}


@pytest.mark.requirement("security:37")
@pytest.mark.parametrize(
    "name",
    [
        "'); DROP TABLE jobs; --",
        '"; DELETE FROM tenants; --',
        "{0.__class__} %s %(x)s ${jndi:ldap://x} {{7*7}}",
        "<script>alert(1)</script>",
        "=cmd|' /C calc'!A0",
        "\u202e\u2066 ﷽ 😀",
    ],
)
def test_what_a_tenants_name_says_is_text_wherever_it_is_used_later(api_url: str, name: str) -> None:
    root = Api(api_url, make_token(platform_tenant(), role="admin"))
    unique = f"{name} {uuid4().hex[:8]}"

    made = root.post("/v1/tenants", {"name": unique, "metadata": {name: name}})
    assert made.status == 201, made.body
    read = root.get(f"/v1/tenants/{made.json['id']}")
    listed = root.get(f"/v1/tenants?limit=50&q={quote(unique[:60], safe='')}")
    row = AuditLog.objects.using(engine_db.ALIAS).get(tenant_id=made.json["id"], action="tenant.created")

    assert (read.json["name"], read.json["metadata"]) == (unique, {name: name})
    assert [item["id"] for item in listed.json["items"]] == [made.json["id"]]
    assert row.details["name"] == unique
    assert re.fullmatch(r"[a-z0-9-]+", made.json["slug"])
