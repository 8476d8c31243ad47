"""What is wrong with a document, part by part: the ``errors`` of a ValidationError, as {loc, msg, type}."""

from typing import Any

import pydantic

VALUE_ERROR = "Value error, "  # pydantic's prefix to sentences of ours


def faults_of(error: pydantic.ValidationError, *place: str | int) -> list[dict[str, Any]]:
    """Every fault that pydantic found. ``place`` is where the document stands: ("body", "config"). No values."""
    found = error.errors(include_url=False)
    return [{"loc": [*place, *fault["loc"]], "msg": _message(fault), "type": fault["type"]} for fault in found]


def _message(fault: Any) -> str:
    """In words of text where pydantic, which judges a text after our own check of it, speaks of items."""
    limits = fault.get("ctx", {})
    if isinstance(fault["input"], str) and fault["type"] == "too_long":
        return f"String should have at most {limits['max_length']} characters"
    if isinstance(fault["input"], str) and fault["type"] == "too_short":
        return f"String should have at least {limits['min_length']} character(s)"
    said: str = fault["msg"]
    return said.removeprefix(VALUE_ERROR)
