"""/v1/agents over the running API: definitions of agents, in versions."""

from typing import Any
from uuid import uuid4

import pytest

from apps.agents.models import Agent
from apps.agents.runs import limits as run_limits
from apps.audit.models import AuditLog
from apps.tenancy.models import Tenant
from kernel import engine_db
from kernel.errors import ForbiddenError
from kernel.tenant_context import tenant_scope
from tests.clients import Api
from tests.factories import make_principal, make_token, platform_tenant

PATH = "/v1/agents"


def name() -> str:
    return f"a-{uuid4().hex[:8]}"


def create(caller: Api, **fields: Any) -> Any:
    return caller.post(PATH, {"name": name(), **fields})


@pytest.mark.requirement("runs:agents")
def test_an_agent_is_made_read_changed_and_deleted(admin: Api, api: Api) -> None:
    made = create(admin, system_prompt="Be brief.", tools=["graph.query"], budget={"usd": 0.5})
    path = f"{PATH}/{made.json['name']}"

    read = api.get(path)
    by_id = api.get(f"{PATH}/{made.json['id']}")
    unchanged = api.get(path, If_None_Match=read.headers["etag"])
    changed = admin.patch(path, {"temperature": 0.4, "budget": None}, If_Match=read.headers["etag"])
    late = admin.patch(path, {"max_steps": 3}, If_Match=read.headers["etag"])
    same = admin.patch(path, {"temperature": 0.4})
    gone = admin.delete(path, If_Match=changed.headers["etag"])

    assert made.status == 201
    assert made.headers["location"].endswith(path)
    assert (made.json["version"], made.json["scope"], made.json["enabled"]) == (1, "tenant", True)
    assert read.json == by_id.json == made.json
    assert (read.json["tools"], read.json["budget"], read.json["model"]) == (["graph.query"], {"usd": 0.5}, None)
    assert unchanged.status == 304
    assert (changed.status, changed.json["version"], changed.json["temperature"]) == (200, 2, 0.4)
    assert (changed.json["budget"], changed.json["system_prompt"]) == ({}, "Be brief.")
    assert (late.status, late.json["code"]) == (412, "precondition_failed")
    assert (same.status, same.json["version"], same.headers["etag"]) == (200, 2, changed.headers["etag"])
    assert (gone.status, api.get(path).status) == (204, 404)


@pytest.mark.requirement("runs:agents")
def test_a_tool_that_nobody_declares_is_named(admin: Api) -> None:
    unknown = [
        create(admin, tools=["graph.qeury"]),
        admin.post("/v1/sessions", {"tools": ["graph.qeury"]}),
        admin.post("/v1/agent-runs", {"prompt": "Hello", "tools": ["graph.qeury"]}),
    ]

    assert [(one.status, b"no tool 'graph.qeury'" in one.body) for one in unknown] == [(422, True)] * 3


@pytest.mark.requirement("runs:agent-versions")
def test_every_change_is_a_version_and_none_is_ever_changed(admin: Api, api: Api) -> None:
    made = create(admin, max_steps=1)
    path = f"{PATH}/{made.json['name']}"

    admin.patch(path, {"max_steps": 2})
    admin.patch(path, {"max_steps": 3, "description": "three"})
    disabled = admin.patch(path, {"enabled": False})
    versions = api.get(f"{path}/versions").json

    assert [(row["version"], row["max_steps"], row["present"]) for row in versions["items"]] == [
        (3, 3, True),
        (2, 2, False),
        (1, 1, False),
    ]
    assert (versions["total"], versions["items"][0]["description"]) == (3, "three")
    assert (disabled.json["version"], disabled.json["enabled"]) == (3, False)


@pytest.mark.requirement("runs:agent-versions")
def test_who_changed_an_agent_is_on_record(admin: Api, tenant: Tenant) -> None:
    made = create(admin)
    path = f"{PATH}/{made.json['name']}"

    admin.patch(path, {"max_steps": 2})
    admin.delete(path)

    with tenant_scope(tenant.id):
        rows = AuditLog.objects.filter(resource_type="agent", resource_id=made.json["id"]).order_by("seq")
        said = [(row.action, row.details.get("changes")) for row in rows]
    assert said == [("agent.created", None), ("agent.updated", {"max_steps": [8, 2]}), ("agent.deleted", None)]


@pytest.mark.requirement("runs:default-agent")
def test_the_platform_ships_an_agent_that_a_tenant_may_put_its_own_before(admin: Api, api: Api) -> None:
    shipped = api.get(f"{PATH}/default")
    refused = admin.patch(f"{PATH}/default", {"max_steps": 2})
    own = admin.post(PATH, {"name": "default", "max_steps": 2})

    seen, by_id = api.get(f"{PATH}/default"), api.get(f"{PATH}/{shipped.json['id']}")
    listed = [row for row in api.get(f"{PATH}?limit=50").json["items"] if row["name"] == "default"]
    admin.delete(f"{PATH}/default")
    after = api.get(f"{PATH}/default")

    assert (shipped.status, shipped.json["scope"], shipped.json["tenant_id"]) == (200, "global", None)
    assert (refused.status, refused.json["code"]) == (403, "platform_admin_required")
    assert own.status == 201
    assert (seen.json["id"], seen.json["scope"]) == (own.json["id"], "tenant")
    assert by_id.json["scope"] == "global"
    assert [row["id"] for row in listed] == [own.json["id"]]
    assert after.json["id"] == shipped.json["id"]


@pytest.mark.requirement("runs:default-agent")
def test_preparing_again_changes_nothing_about_the_default_agent() -> None:
    before = Agent.objects.using(engine_db.ALIAS).filter(tenant_id=None, name="default").values().get()

    from apps.agents.definitions.first_agent import ensure_default_agent

    laid = ensure_default_agent()

    after = Agent.objects.using(engine_db.ALIAS).filter(tenant_id=None, name="default").values().get()
    assert not laid
    assert after == before


@pytest.mark.requirement("runs:agents")
def test_the_platforms_agents_are_its_administrators_to_make_and_everybodys_to_read(
    api_url: str, admin: Api, api: Api
) -> None:
    platform = Api(api_url, make_token(platform_tenant(), role="admin"))

    made = create(platform, scope="global")
    by_tenant_admin = create(admin, scope="global")
    seen = api.get(f"{PATH}/{made.json['name']}")
    no_delete = platform.delete(f"{PATH}/default")
    gone = platform.delete(f"{PATH}/{made.json['name']}")

    assert (made.status, made.json["scope"]) == (201, "global")
    assert by_tenant_admin.status == 403
    assert seen.json["id"] == made.json["id"]
    assert (no_delete.status, no_delete.json["code"]) == (409, "default_agent")
    assert (gone.status, api.get(f"{PATH}/{made.json['name']}").status) == (204, 404)


@pytest.mark.requirement("runs:agents")
def test_others_tenants_agents_are_as_missing_as_none(admin: Api, stranger: Api) -> None:
    made = create(admin)
    path = f"{PATH}/{made.json['name']}"

    answers = [
        stranger.get(path),
        stranger.get(f"{PATH}/{made.json['id']}"),
        stranger.get(f"{path}/versions"),
        stranger.patch(f"{PATH}/{made.json['id']}", {"max_steps": 1}),
        stranger.delete(f"{PATH}/{made.json['id']}"),
    ]

    assert {answer.status for answer in answers} == {404}
    assert {answer.json["code"] for answer in answers} == {"agent_not_found"}
    assert admin.get(path).json == made.json


@pytest.mark.requirement("runs:agents")
def test_a_page_of_agents_says_where_the_next_begins(admin: Api, api: Api) -> None:
    made = [create(admin, max_steps=number + 1).json["id"] for number in range(3)]
    admin.patch(f"{PATH}/{made[0]}", {"enabled": False})

    first = api.get(f"{PATH}?limit=2").json
    second = api.get(f"{PATH}?limit=2&page_token={first['next_page_token']}").json
    enabled = api.get(f"{PATH}?enabled=true&limit=50").json
    other_filter = api.get(f"{PATH}?enabled=true&page_token={first['next_page_token']}")

    assert [row["id"] for row in first["items"]] == [made[2], made[1]]
    assert second["items"][0]["id"] == made[0]
    assert (second["offset"], first["has_more"], first["total"]) == (2, True, second["total"])
    assert made[0] not in [row["id"] for row in enabled["items"]]
    assert (other_filter.status, other_filter.json["code"]) == (400, "invalid_cursor")


@pytest.mark.requirement("runs:agents")
@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"name": "sessions"}, "name"),
        ({"name": "0b4e7f3e-0f6b-4a57-9d4d-2f1f8f3f6c11"}, "name"),
        ({"name": "With Space"}, "name"),
        ({"name": "../x"}, "name"),
        ({"max_steps": 0}, "max_steps"),
        ({"temperature": 2.1}, "temperature"),
        ({"planning_mode": "sometimes"}, "planning_mode"),
        ({"budget": {"usd": -1}}, "budget"),
        ({"budget": {"gold": 1}}, "budget"),
        ({"model": "no-such-model"}, "model"),
        ({"tenant_id": "global"}, "tenant_id"),
        ({"system_prompt": "nul \0"}, "system_prompt"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused_by_name(admin: Api, fields: dict[str, Any], where: str) -> None:
    answer = create(admin, **fields)

    assert answer.status == 422
    assert [fault["loc"][1] for fault in answer.json["errors"]] == [where]


@pytest.mark.requirement("runs:agents")
def test_a_name_is_taken_once(admin: Api) -> None:
    made = create(admin)

    again = admin.post(PATH, {"name": made.json["name"]})

    assert (again.status, again.json["code"]) == (409, "agent_exists")


@pytest.mark.requirement("runs:agents")
@pytest.mark.parametrize(
    ("role", "read", "write"),
    [("admin", 200, 201), ("operator", 200, 403), ("user", 200, 403), ("curator", 200, 403), ("viewer", 403, 403)],
)
def test_who_may_run_reads_agents_and_administrators_write_them(
    api_url: str, tenant: Tenant, role: str, read: int, write: int
) -> None:
    caller = Api(api_url, make_token(tenant, role=role))

    answers = caller.get(PATH).status, create(caller).status

    assert answers == (read, write)


@pytest.mark.requirement("runs:limits")
def test_a_role_named_for_a_run_takes_away_and_gives_nothing(tenant: Tenant) -> None:
    admin, user = make_principal(tenant, "admin"), make_principal(tenant, "user")

    narrowed = run_limits.limited_principal(admin, "admin")
    unchanged = run_limits.limited_principal(user, None)

    assert narrowed.roles == {"admin"}
    assert unchanged is user
    with pytest.raises(ForbiddenError):
        run_limits.limited_principal(user, "admin")
    with pytest.raises(ForbiddenError):
        run_limits.limited_principal(admin, "user")  # not one of its own, although it could do as much


@pytest.mark.requirement("runs:limits")
def test_a_run_acts_with_the_scopes_that_the_role_and_the_token_share(tenant: Tenant) -> None:
    from dataclasses import replace

    both = replace(
        make_principal(tenant, "user"), roles=frozenset({"user", "curator"}), scopes=frozenset({"read", "graph:write"})
    )

    as_user, as_curator = run_limits.limited_principal(both, "user"), run_limits.limited_principal(both, "curator")

    assert "graph:write" not in as_user.scopes
    assert "read" in as_user.scopes
    assert "graph:write" in as_curator.scopes
    assert "write" not in as_curator.scopes  # the token does not have it


@pytest.mark.requirement("runs:limits")
@pytest.mark.parametrize(
    ("lists", "allowed"),
    [
        ([None, None], None),
        ([["a", "b"], None], ("a", "b")),
        ([None, ["b", "a", "b"], ["c", "a"]], ("a",)),
        ([["a"], ["b"]], ()),
        ([[], None], ()),
    ],
)
def test_tools_are_those_that_every_list_has(lists: list[Any], allowed: Any) -> None:
    assert run_limits.limited_tools(*lists) == allowed
