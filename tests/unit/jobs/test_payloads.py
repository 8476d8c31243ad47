"""The payload schema of each job type, and what no payload may contain."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.jobs.admission import check_payload
from apps.jobs.types import JOB_TYPES
from kernel.errors import BadRequestError, ValidationError
from kernel.payloads import unstorable

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.requirement("jobs:types")
@pytest.mark.parametrize("name", JOB_TYPES)
def test_a_types_schema_is_a_valid_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(JOB_TYPES[name].schema)


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("demo", {}),
        ("demo", {"duration_ms": 0, "anything": "else"}),
        ("test", {"should_fail": True, "duration_ms": 3_600_000}),
        ("long-running", {"duration_ms": 5000}),
        ("agent.run", {"prompt": "x", "session_id": None, "temperature": 2, "max_steps": 50}),
    ],
)
def test_a_payload_that_fits_is_taken(name: str, payload: dict[str, Any]) -> None:
    check_payload(name, payload)


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize(
    ("name", "payload", "faults"),
    [
        ("demo", {"duration_ms": 3_600_001}, 1),
        ("demo", {"duration_ms": 1.5}, 1),
        ("demo", {"duration_ms": True}, 1),
        ("long-running", {}, 1),
        ("long-running", {"duration_ms": 1, "steps": 0}, 2),
        ("agent.run", {"prompt": "x" * 100_001}, 1),
        ("agent.run", {"prompt": "x", "temperature": 2.1, "max_steps": 51}, 2),
    ],
)
def test_every_fault_of_a_payload_is_listed(name: str, payload: dict[str, Any], faults: int) -> None:
    with pytest.raises(ValidationError) as refused:
        check_payload(name, payload)

    assert len(refused.value.errors or []) == faults
    assert all(fault["loc"][:2] == ["body", "payload"] for fault in refused.value.errors or [])


@pytest.mark.requirement("jobs:create-refusals")
def test_an_unknown_type_is_refused_whatever_its_payload() -> None:
    with pytest.raises(BadRequestError) as refused:
        check_payload("no-such", {})

    assert refused.value.extra["allowed_types"] == ["demo", "test", "long-running", "agent.run", "tool.invoke"]


@pytest.mark.requirement("jobs:create-refusals")
@given(payload=some.dictionaries(some.text(), JSON, max_size=4))
def test_whatever_json_comes_it_is_taken_or_refused_never_crashed_on(payload: dict[str, Any]) -> None:
    try:
        check_payload("test", payload)
    except ValidationError as refused:
        assert refused.errors


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize("value", ["a\0b", {"\0": 1}, [["\ud800"]], {"x": {"\udfff": 1}}, float("inf"), [float("nan")]])
def test_what_jsonb_cannot_hold_is_found_at_any_depth(value: Any) -> None:
    assert unstorable(value)


@pytest.mark.requirement("jobs:create-refusals")
@pytest.mark.parametrize("value", ["\\u0000", "😀", "", None, True, 1e308, 10**400, {"a": [{"b": "\x1f"}]}])
def test_what_jsonb_can_hold_is_let_through(value: Any) -> None:
    assert unstorable(value) is None
