"""Who stands in for whom."""

from uuid import UUID, uuid4

import pytest

from apps.llm.catalogue import InstanceConfig
from apps.llm.providers.base import ProviderConfig
from apps.llm.resilience.fallback import Needs, order


def provider(priority: int = 100) -> ProviderConfig:
    return ProviderConfig(uuid4(), None, "p", "openai", "", 1, priority=priority)


def instance(name: str, of: ProviderConfig, **more: object) -> InstanceConfig:
    return InstanceConfig(uuid4(), None, name, of, "m", **more)  # type: ignore[arg-type]


@pytest.mark.requirement("llm:fallback-order")
def test_the_others_come_by_priority_and_those_of_the_same_provider_last() -> None:
    home, near, far = provider(100), provider(10), provider(50)
    first, sibling = instance("first", home), instance("sibling", home)
    others = [sibling, instance("b", far), instance("a", near), first]

    found = order(first, others, Needs(), keep_order=False)

    assert [one.name for one in found.chain] == ["first", "a", "b", "sibling"]


@pytest.mark.requirement("llm:fallback-order")
def test_named_ones_come_as_named_each_once() -> None:
    home = provider()
    first, one, two = (instance(name, home) for name in ("first", "one", "two"))

    found = order(first, [two, one, two, first], Needs(), keep_order=True)

    assert [one.name for one in found.chain] == ["first", "two", "one"]


@pytest.mark.requirement("llm:gateway-needs")
def test_who_cannot_do_it_is_left_out_with_the_reason() -> None:
    home = provider()
    small = instance("small", home, context_window=1000)
    mute = instance("mute", home, supports_tools=False)
    off = instance("off", home, enabled=False)
    able = instance("able", home, context_window=9000)

    found = order(small, [mute, off, able], Needs(tokens=2000, tools=True), keep_order=True)

    assert [one.name for one in found.chain] == ["able"]
    assert found.left_out == {"small": "takes 1000 tokens", "mute": "calls no tools", "off": "disabled"}


def test_ids_are_what_counts() -> None:
    home = provider()
    twin = InstanceConfig(UUID(int=1), None, "a", home, "m")

    assert len(order(twin, [twin], Needs(), keep_order=False).chain) == 1
