"""admin.create_index, admin.drop_index, admin.constraint: on the real server, and never against the platform's own."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.graph import client, indexes, laying
from apps.graph.errors import GraphConflictError
from apps.graph.loading import load
from apps.graph.records import Node
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant, platform_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:admin")
DATASET = {"name": "n", "version": "1"}


@pytest.fixture
def platform() -> Iterator[Principal]:
    """An administrator of the platform, who leaves the graph's indexes as they were."""
    yield make_principal(platform_tenant(), "admin")
    for label, properties in (("Gene", ["chromosome"]), ("Dataset", ["version", "name"])):
        indexes.drop(label, properties)
    indexes.drop_unique("Dataset", "id")


def on_server(label: str) -> set[tuple[tuple[str, ...], bool]]:
    return {(one.properties, one.unique) for one in client.laid() if one.label == label}


def failed(principal: Principal, name: str, arguments: dict[str, Any]) -> str:
    outcome = call(principal, name, arguments)
    assert outcome.error is not None, outcome.result
    return str(outcome.error["code"])


def put(number: int, of: Any, id_: str) -> None:
    load(of.id, [Node("Dataset", uid_for(of.id, f"dataset {number}"), {**DATASET, "id": id_})])


def test_an_index_is_made_once_and_dropped_once(platform: Principal) -> None:
    given = {"label": "Gene", "properties": ["chromosome"]}

    made = result(platform, "admin.create_index", given)
    there = on_server("Gene")
    again = result(platform, "admin.create_index", given)
    dropped = result(platform, "admin.drop_index", given)
    gone = result(platform, "admin.drop_index", given)

    assert (made["changed"], again["changed"], dropped["changed"], gone["changed"]) == (True, False, True, False)
    assert (("chromosome",), False) in there
    assert (("chromosome",), False) not in on_server("Gene")
    assert {"label": "Gene", "properties": ["chromosome"], "unique": False, "platform": False} in made["laid"]


def test_an_index_may_have_more_than_one_property(platform: Principal) -> None:
    result(platform, "admin.create_index", {"label": "Dataset", "properties": ["version", "name"]})

    assert (("version", "name"), False) in on_server("Dataset")


def test_what_the_platform_laid_is_listed_and_never_dropped(platform: Principal) -> None:
    listed = result(platform, "admin.create_index", {"action": "list"})["laid"]

    own = {(one.label, one.properties) for one in laying.wanted() if one.label != "GraphEpoch"}
    assert {(one["label"], tuple(one["properties"])) for one in listed if one["platform"]} == own
    for label, properties in sorted(own):
        if properties != ("tenant_id",):  # which has no name that a caller may use
            assert failed(platform, "admin.drop_index", {"label": label, "properties": list(properties)}) == (
                "graph_index_of_platform"
            )
    assert failed(platform, "admin.constraint", {"action": "drop", "label": "Gene", "property": "uid"}) == (
        "graph_index_of_platform"
    )


def test_a_constraint_holds_within_a_tenant_and_not_between_two(platform: Principal) -> None:
    one, other = make_tenant(), make_tenant()
    given = {"action": "create", "label": "Dataset", "property": "id"}

    made = result(platform, "admin.constraint", given)
    again = result(platform, "admin.constraint", given)
    put(1, one, "d1")
    put(1, other, "d1")
    with pytest.raises(GraphConflictError):
        put(2, one, "d1")
    refused = failed(platform, "admin.drop_index", {"label": "Dataset", "properties": ["id"]})
    dropped = result(platform, "admin.constraint", {**given, "action": "drop"})
    put(2, one, "d1")

    assert (made["changed"], again["changed"], dropped["changed"]) == (True, False, True)
    assert refused == "graph_index_of_platform"
    assert result(platform, "admin.constraint", {**given, "action": "drop"})["changed"] is False
    assert failed(platform, "admin.constraint", given) == "graph_conflict"  # now that two have it
    assert not any("tenant_id" in keys and "id" in keys for keys, _ in on_server("Dataset"))


@pytest.mark.parametrize(
    ("label", "properties"),
    [("Secret", ["id"]), ("Gene", ["password"]), ("Gene", ["tenant_id"]), ("Gene", []), ("Gene", ["id", "id"]),
     ("Gene) DETACH DELETE (n", ["id"]), ("Gene", ["id`) ON (n.name"]), ("GraphEpoch", ["beat"])],
)  # fmt: skip
def test_names_are_those_of_the_schema_and_nothing_else(platform: Principal, label: str, properties: list[str]) -> None:
    before = {(one.label, one.properties) for one in client.laid()}

    for name in ("admin.create_index", "admin.drop_index"):
        try:
            outcome = call(platform, name, {"label": label, "properties": properties})
        except ValidationError:
            continue
        assert (outcome.ok, outcome.http_status) == (False, 422)
    assert {(one.label, one.properties) for one in client.laid()} == before


@pytest.mark.parametrize("name", ["admin.create_index", "admin.drop_index", "admin.constraint"])
def test_a_tenants_administrator_is_refused_for_all_tenants_share_them(tenant: Any, name: str) -> None:
    given = {"action": "list"} if name == "admin.constraint" else {"label": "Gene", "properties": ["chromosome"]}

    for role in ("admin", "data_engineer", "operator"):
        with pytest.raises(ForbiddenError):
            call(make_principal(tenant, role), name, given)
