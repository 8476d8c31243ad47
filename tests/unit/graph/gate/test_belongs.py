"""The wall behind the gate."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.graph.gate.belongs import belongs, foreign, stripped

A = "11111111-aaaa-4aaa-8aaa-111111111111"
OTHERS = [None, "22222222-bbbb-4bbb-8bbb-222222222222", A.upper(), A + " ", " " + A, 1, True, [A], {"a": A}]


@dataclass
class Thing:
    """A node or a relationship, as drivers give them."""

    properties: dict[str, Any]
    element_id: str = "1"

    def get(self, key: str) -> Any:
        return self.properties.get(key)


@dataclass
class Walk:
    """A path."""

    nodes: list[Thing] = field(default_factory=list)
    relationships: list[Thing] = field(default_factory=list)


OWN = Thing({"tenant_id": A})


@pytest.mark.requirement("gate:belongs")
@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        1.5,
        "x",
        True,
        [],
        {},
        [1, ["x"]],
        OWN,
        [OWN],
        {"a": OWN},
        Walk([OWN, OWN], [OWN]),
        {"tenant_id": A},
        b"x",
    ],
)
def test_values_and_ones_own_things_belong(value: Any) -> None:
    assert belongs(value, A)


@pytest.mark.requirement("gate:belongs")
@pytest.mark.parametrize("tenant", OTHERS)
def test_what_is_anothers_or_nobodys_does_not_belong_however_deep_it_lies(tenant: Any) -> None:
    alien = Thing({"tenant_id": tenant})

    assert not belongs(alien, A)
    assert not belongs([[{"x": [alien]}]], A)
    assert not belongs(Walk([OWN, alien], [OWN]), A)
    assert not belongs(Walk([OWN, OWN], [alien]), A)
    assert not belongs({"tenant_id": tenant}, A)
    assert not belongs(Thing({}), A)


@pytest.mark.requirement("gate:belongs")
def test_what_nobody_knows_does_not_belong() -> None:
    assert not belongs(object(), A)


@pytest.mark.requirement("gate:belongs")
def test_rows_are_counted_that_hold_something_foreign() -> None:
    assert foreign([[1, OWN], [Thing({}), 1], [[Thing({"tenant_id": "B"})]]], A) == 2


@pytest.mark.requirement("gate:belongs")
def test_the_tenants_id_is_taken_out_at_any_depth() -> None:
    assert stripped({"tenant_id": A, "a": [{"tenant_id": A, "b": 1}]}) == {"a": [{"b": 1}]}
