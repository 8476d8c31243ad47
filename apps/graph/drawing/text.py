"""A value as a line of text that is shown: nothing in it is invisible, and nothing changes what stands around it."""

import unicodedata
from typing import Any

from pydantic_core import to_json

LABEL_CHARS = 80
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))  # controls, marks that turn the direction, halves, private use


def shown(value: Any) -> str:
    """Texts as they are, null as nothing, numbers and everything else as JSON has it."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value, inf_nan_mode="strings").decode()


def label_of(value: Any, chars: int = LABEL_CHARS) -> str:
    """The value on one line of at most ``chars`` characters."""
    text = "".join(_visible(char) for char in shown(value)[: chars * 4])
    line = " ".join(text.split())
    return line if len(line) <= chars else line[: chars - 1] + "…"


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    return " " if char in "\t\n\r\v\f\x85" else ""
