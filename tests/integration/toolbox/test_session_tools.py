"""session.manage: a caller's own conversations, within the caller's rights."""

from typing import Any
from uuid import uuid4

import pytest

from apps.agents.models import Session
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:session")


def manage(principal: Principal, action: str, **arguments: Any) -> dict[str, Any]:
    return result(principal, "session.manage", {"action": action, **arguments})


def code_of(principal: Principal, action: str, **arguments: Any) -> str:
    outcome = call(principal, "session.manage", {"action": action, **arguments})
    assert outcome.error is not None, outcome.result
    return str(outcome.error["code"])


def rows(tenant: Tenant) -> list[Session]:
    with tenant_scope(tenant.id):
        return list(Session.objects.order_by("created_at"))


def test_a_session_is_made_looked_at_changed_and_ended(tenant: Tenant, principal: Principal) -> None:
    data = {"title": "Genes", "tools": ["graph.query"], "temperature": 0.1, "metadata": {"project": "p1"}}

    made = manage(principal, "create", data=data)["session"]
    seen = manage(principal, "get", session_id=made["id"])["session"]
    changed = manage(principal, "update", session_id=made["id"], data={"title": "Proteins"})["session"]
    ended = [manage(principal, "delete", session_id=made["id"])["session"]["status"] for _ in range(2)]
    (row,) = rows(tenant)

    assert seen == made
    assert (made["owner_sub"], made["status"], made["metadata"]) == (principal.sub, "active", {"project": "p1"})
    assert (changed["title"], changed["tools"], changed["version"]) == ("Proteins", ["graph.query"], 2)
    assert (ended, row.status, row.title) == (["cancelled"] * 2, "cancelled", "Proteins")
    assert code_of(principal, "update", session_id=made["id"], data={"title": "x"}) == "session_not_active"


def test_a_repeat_with_its_key_makes_one_session(tenant: Tenant, principal: Principal) -> None:
    key = uuid4().hex

    first, again = (
        call(
            principal,
            "session.manage",
            {"action": "create", "data": {"title": "t"}},
            idempotency_key=key,
            supersedes=True,
        )
        for _ in range(2)
    )

    assert first.result is not None and again.result is not None
    assert first.result["session"]["id"] == again.result["session"]["id"]
    assert len(rows(tenant)) == 1


def test_an_id_of_ones_choosing_is_taken_once(principal: Principal) -> None:
    wanted = str(uuid4())

    assert manage(principal, "create", session_id=wanted)["session"]["id"] == wanted
    assert code_of(principal, "create", session_id=wanted) == "session_already_exists"


def test_ones_own_are_listed_in_pages(tenant: Tenant, principal: Principal) -> None:
    made = [manage(principal, "create", data={"title": f"s{number}"})["session"]["id"] for number in range(3)]
    manage(make_principal(tenant), "create")
    manage(principal, "delete", session_id=made[0])

    first = manage(principal, "list", limit=2)
    second = manage(principal, "list", limit=2, page_token=first["next_page_token"])
    active = manage(principal, "list", status="active")

    assert [one["id"] for one in first["sessions"] + second["sessions"]] == made[::-1]
    assert (first["total"], second["next_page_token"]) == (3, None)
    assert [one["id"] for one in active["sessions"]] == [made[2], made[1]]
    assert code_of(make_principal(tenant), "list", page_token=first["next_page_token"]) == "invalid_cursor"


@pytest.mark.requirement("security:24")
def test_anothers_sessions_look_like_none(tenant: Tenant, principal: Principal) -> None:
    session_id = manage(principal, "create")["session"]["id"]
    strangers = (make_principal(tenant), make_principal(make_tenant(), "admin"))

    codes = {
        code_of(who, action, session_id=wanted, **({"data": {"title": "x"}} if action == "update" else {}))
        for who in strangers
        for action in ("get", "update", "delete")
        for wanted in (session_id, str(uuid4()))
    }

    assert codes == {"session_not_found"}
    assert manage(principal, "get", session_id=session_id)["session"]["status"] == "active"


@pytest.mark.requirement("security:46")
def test_a_session_gives_no_role(principal: Principal) -> None:
    assert code_of(principal, "create", data={"agent_role": "admin"}) == "role_not_held"


def test_a_call_of_a_session_means_that_one(principal: Principal) -> None:
    session_id = manage(principal, "create", data={"title": "mine"})["session"]["id"]

    outcome = call(principal, "session.manage", {"action": "get"}, session_id=session_id, door="agent")

    assert outcome.result is not None
    assert outcome.result["session"]["title"] == "mine"
    assert [code_of(principal, action) for action in ("get", "delete")] == ["no_session"] * 2


def test_what_is_fixed_and_what_is_nothing_is_not_changed(principal: Principal) -> None:
    session_id = manage(principal, "create")["session"]["id"]

    for data in ({"agent_role": "user"}, {"preferred_workers": ["w"]}, {}):
        assert code_of(principal, "update", session_id=session_id, data=data) == "nothing_to_change"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "purge"},
        {"action": "get", "session_id": "x"},
        {"action": "create", "data": {"title": "x" * 201}},
        {"action": "create", "data": {"max_steps": 65}},
        {"action": "create", "data": {"max_steps": "8"}},
        {"action": "create", "data": {"owner_sub": "somebody"}},
        {"action": "create", "data": {"metadata": {"x": "y" * 16_400}}},
        {"action": "list", "limit": 51},
    ],
)
def test_what_does_not_fit_is_refused(principal: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, "session.manage", arguments)


@pytest.mark.parametrize("role", ["guest", "auditor"])
def test_who_may_only_read_sessions_makes_none(tenant: Tenant, role: str) -> None:
    reader = make_principal(tenant, role)

    assert manage(reader, "list")["sessions"] == []
    for action in ("create", "update", "delete"):
        with pytest.raises(ForbiddenError):
            call(reader, "session.manage", {"action": action, "session_id": str(uuid4())})
    assert rows(tenant) == []


def test_a_token_that_covers_writing_does_not_make_up_for_the_role(tenant: Tenant) -> None:
    guest = make_principal(tenant, "guest")
    armed = Principal(guest.sub, guest.tenant_id, guest.roles, guest.scopes | {"write", "sessions:*", "tools:invoke"})

    for action in ("create", "delete"):
        outcome = call(armed, "session.manage", {"action": action, "session_id": str(uuid4())})
        assert outcome.http_status == 403
    assert rows(tenant) == []


def test_a_viewer_may_call_no_tool(tenant: Tenant) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), "session.manage", {"action": "list"})
