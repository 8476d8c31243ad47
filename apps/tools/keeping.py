"""What is kept of a call's arguments for those who read the store later: without personal data, and not without end."""

from collections.abc import Callable
from typing import Any

from pydantic_core import to_json

ARGUMENTS_BYTES = 64 * 1024  # of arguments that are kept whole; their hash is of all of them
HEAD_CHARS = 2_000
LOOKED_AT_CHARS = 8_000  # from which the head is made
HALF_CHARS = 1_000  # of what was cut through: half an address is not known as one
Document = dict[str, Any]


def kept(arguments: Document, scrub: Callable[[Document], Document]) -> Document:
    """The arguments, scrubbed; {truncated, bytes, head} for long ones, of which only the beginning is looked at."""
    size = len(to_json(arguments))
    if size <= ARGUMENTS_BYTES:
        return scrub(arguments)
    beginning, _ = _beginning(arguments, LOOKED_AT_CHARS)
    text = to_json(scrub(beginning)).decode("utf-8", "replace").rstrip('"]}')  # ends where it was cut
    return {"truncated": True, "bytes": size, "head": text[:-HALF_CHARS][:HEAD_CHARS]}


def _beginning(value: Any, left: int) -> tuple[Any, int]:
    """As much of a value as about ``left`` characters hold, in its order, and what is left of them then."""
    if isinstance(value, str):
        return value[:left], left - len(value) - 2
    if isinstance(value, list):
        items: list[Any] = []
        for each in value:
            if left <= 0:
                break
            item, left = _beginning(each, left - 1)
            items.append(item)
        return items, left
    if isinstance(value, dict):
        found: Document = {}
        for name, each in value.items():
            left -= len(name) + 4
            if left <= 0:
                break
            found[name], left = _beginning(each, left)
        return found, left
    return value, left - len(str(value)) - 1
