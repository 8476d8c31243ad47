"""The table of rights: SPEC's rows, the hierarchy of scopes, and what a token amounts to."""

from uuid import uuid4

import pytest

from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.rbac import MATRIX, ROLES, may, scopes_of
from apps.identity.scopes import covers
from apps.identity.tokens import TokenVerifier
from kernel.errors import ForbiddenError
from tests.unit.identity.forge import Forge

# SPEC 2.3 as it is written; the graph's column is about writing it.
SPEC_ROWS = {
    "admin": {"agent-runs": "CRUD", "jobs": "CRUD", "tools": "CRUD", "tenants": "CRUD", "graph": "CUD"},
    "operator": {"agent-runs": "CRU", "jobs": "CRUD", "tools": "R", "tenants": "R", "graph": ""},
    "user": {"agent-runs": "CR", "jobs": "CRD", "tools": "R", "tenants": "", "graph": ""},
    "viewer": {"agent-runs": "R", "jobs": "R", "tools": "R", "tenants": "", "graph": ""},
}
ACTIONS = {"C": "create", "R": "read", "U": "update", "D": "delete"}


def caller(role: str, *scopes: str) -> Principal:
    """With these scopes, or with all that the role may have."""
    return Principal("ada", uuid4(), frozenset({role}), frozenset(scopes or scopes_of([role])))


@pytest.mark.requirement("roles:matrix")
@pytest.mark.parametrize("role", SPEC_ROWS)
def test_each_of_the_four_roles_has_exactly_its_row_of_the_specification(role: str) -> None:
    for resource, letters in SPEC_ROWS[role].items():
        asked = [action for letter, action in ACTIONS.items() if not (resource == "graph" and letter == "R")]

        granted = {action for action in asked if f"{resource}:{action}" in MATRIX[role]}

        assert granted == {ACTIONS[letter] for letter in letters}, resource


@pytest.mark.requirement("roles:seven")
@pytest.mark.parametrize(
    ("role", "base"),
    [
        ("researcher", "user"),
        ("curator", "user"),
        ("data_engineer", "user"),
        ("auditor", "viewer"),
        ("guest", "viewer"),
    ],
)
def test_the_predecessors_roles_extend_one_of_the_four(role: str, base: str) -> None:
    assert MATRIX[base] <= MATRIX[role]
    assert scopes_of([base]) <= scopes_of([role])
    assert not any(name.startswith(("tenants:", "all-jobs:")) for name in MATRIX[role])


@pytest.mark.requirement("roles:seven")
@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("admin", "admin:* models:* tools:* db:* graph:* mcp:* tenants:* security:* sessions:* system:* ratelimit:* "
                  "privacy:*"),
        ("researcher", "models:list models:infer tools:invoke db:query:read db:schema:read sessions:* "
                       "privacy:consent:manage ratelimit:read"),
        ("curator", "models:list models:infer tools:invoke db:write db:query:read db:schema:read graph:crud "
                    "archive:write data:quality"),
        ("data_engineer", "models:list models:infer tools:invoke etl:* db:write db:query:read db:schema:read "
                          "system:backup system:metrics system:status"),
        ("operator", "system:health system:metrics system:status ratelimit:manage security:check models:list "
                     "tools:invoke"),
        ("auditor", "security:audit:read security:check privacy:read system:metrics system:status tools:invoke"),
        ("guest", "models:list models:infer tools:invoke db:schema:read"),
    ],
)  # fmt: skip
def test_each_role_has_the_contracts_scopes_word_for_word(role: str, scopes: str) -> None:
    assert set(scopes.split()) <= scopes_of([role])


@pytest.mark.requirement("roles:default-deny")
def test_every_permission_of_every_role_needs_its_scope_too() -> None:
    for role in ROLES:
        for permission in rbac.PERMISSIONS:
            assert may(caller(role), permission) == (permission in MATRIX[role]), (role, permission)
            assert not may(caller(role, "openid"), permission), (role, permission)


@pytest.mark.requirement("roles:default-deny")
def test_who_may_not_is_told_the_permission_and_the_scope() -> None:
    with pytest.raises(ForbiddenError) as error:
        rbac.require(caller("viewer"), "jobs:create")

    assert error.value.extra == {"required_permission": "jobs:create", "required_scopes": ["write"]}


@pytest.mark.requirement("roles:hierarchy")
@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("admin:all", "graph:write"),
        ("admin:all", "anything:at:all"),
        ("admin:*", "graph:write"),
        ("admin:write", "admin:read"),
        ("graph:write", "graph:read"),
        ("graph:crud", "graph:read"),
        ("graph:*", "graph:write"),
        ("write", "read"),
        ("write", "sessions:create"),
        ("tools:invoke", "tools:invoke:basic"),
        ("tools:invoke:all", "tools:invoke"),
        ("tools:*", "tools:invoke:basic"),
        ("tools:all", "tools:invoke"),
        ("tools:basic", "tools:invoke:basic"),
        ("tools:invoke:*:basic", "tools:invoke:basic"),
        ("tools:invoke:*:all", "tools:invoke:all"),
        ("tools:invoke:basic", "tools:basic"),
        ("db:*", "graph:write"),
        ("security:*", "security:audit:read"),
        ("security:audit", "security:audit:read"),
    ],
)
def test_a_scope_covers_those_below_it(held: str, needed: str) -> None:
    assert covers([held], needed)


@pytest.mark.requirement("roles:hierarchy")
@pytest.mark.parametrize(
    ("held", "needed"),
    [
        ("graph:read", "graph:write"),
        ("read", "write"),
        ("tools:invoke:basic", "tools:invoke"),
        ("tools:invoke", "tools:invoke:all"),
        ("graph:write", "admin:all"),
        ("admin:read", "admin:all"),
        ("tools:*", "admin:all"),
        ("*", "read"),
        ("*:*", "graph:read"),
        ("gra*", "graph:read"),
        ("graph", "graph:read"),
        ("graph:", "graph:read"),
        ("ADMIN:ALL", "read"),
        ("", "read"),
    ],
)
def test_a_scope_covers_nothing_else(held: str, needed: str) -> None:
    assert not covers([held], needed)


@pytest.mark.requirement("roles:inferred")
@pytest.mark.parametrize(
    ("scopes", "role", "permissions"),
    [
        ("user:me tools:invoke:basic", "user", {"jobs:create", "agent-runs:create", "tools:invoke", "jobs:read"}),
        ("user:me tools:invoke:all", "user", {"jobs:create", "agent-runs:create", "tools:invoke", "graph:read"}),
        ("user:me tools:invoke:all admin:all", "admin", {"tenants:create", "all-jobs:read", "graph:update"}),
        ("user:me tools:basic", "user", {"jobs:create"}),
        ("user:me graph:write", "curator", {"graph:update", "jobs:create"}),
        ("user:me", "viewer", {"jobs:read"}),
        ("read", "viewer", {"jobs:read"}),
    ],
)
@pytest.mark.parametrize("roles", [..., []])
def test_a_token_without_roles_has_the_role_its_scopes_amount_to(
    verifier: TokenVerifier, forge: Forge, roles: object, scopes: str, role: str, permissions: set[str]
) -> None:
    principal = verifier.verify(forge.with_claims(roles=roles, scopes=..., scope=scopes))

    assert principal.roles == {role}
    assert permissions <= rbac.permissions_of(principal)
    assert principal.is_admin is (role == "admin")


@pytest.mark.requirement("roles:inferred")
@pytest.mark.parametrize("scopes", [[], ["openid"], ["unheard:of"], ["*"]])
def test_scopes_that_say_nothing_make_no_role(verifier: TokenVerifier, forge: Forge, scopes: list[str]) -> None:
    principal = verifier.verify(forge.with_claims(roles=..., scopes=scopes))

    assert principal.roles == frozenset()
    assert rbac.permissions_of(principal) == frozenset()


@pytest.mark.requirement("roles:narrowed")
def test_a_token_that_says_nothing_of_scopes_has_those_of_its_roles(verifier: TokenVerifier, forge: Forge) -> None:
    principal = verifier.verify(forge.with_claims(roles=["operator"], scopes=...))

    assert principal.scopes == scopes_of(["operator"])
    assert rbac.permissions_of(principal) == MATRIX["operator"]


@pytest.mark.requirement("roles:narrowed")
@pytest.mark.parametrize("change", [{"scopes": []}, {"scopes": ..., "scope": ""}])
def test_an_empty_list_of_scopes_grants_nothing_even_to_an_administrator(
    verifier: TokenVerifier, forge: Forge, change: dict[str, object]
) -> None:
    principal = verifier.verify(forge.with_claims(roles=["admin"], **change))

    assert not principal.is_admin
    assert rbac.permissions_of(principal) == frozenset()


@pytest.mark.requirement("roles:narrowed")
def test_an_administrators_narrow_token_is_narrow(verifier: TokenVerifier, forge: Forge) -> None:
    principal = verifier.verify(forge.with_claims(roles=["admin"], scopes=["read"]))

    assert not principal.is_admin
    assert may(principal, "jobs:read")
    assert not may(principal, "jobs:create") and not may(principal, "all-jobs:read")


@pytest.mark.requirement("roles:reasons")
def test_a_verdict_names_the_role_or_the_scope() -> None:
    narrow = caller("user", "read")

    assert rbac.verdict(narrow, "jobs:read") == rbac.Verdict(
        True, "Your role user has it, and this token covers the scope read."
    )
    assert "lacks the scope write" in rbac.verdict(narrow, "jobs:create").reason
    assert rbac.verdict(narrow, "tenants:create").reason.endswith("These roles have it: admin.")
