"""Documents for reading: JSON in which nothing is hidden from the eye. Templates escape what it says."""

import json
import re
from collections.abc import Iterable
from typing import Any

# What takes no place, turns the text round, or looks like a space and is none. JSON itself escapes line breaks, tabs.
UNSEEN = re.compile(
    "[\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def pretty(document: Any) -> str:
    """Indented JSON, keys in order; characters that nobody sees as their escapes."""
    return seen(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True, default=str))


def seen(text: str) -> str:
    """The text with what nobody sees written out. In JSON it stays the same document."""
    return UNSEEN.sub(_escaped, text)


def listed(pairs: Iterable[tuple[str, Any]]) -> list[tuple[str, str]]:
    """(title, text) of the documents that there are."""
    return [(title, pretty(document)) for title, document in pairs if document is not None]


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    above = code - 0x10000
    return f"\\u{0xD800 + (above >> 10):04x}\\u{0xDC00 + (above & 0x3FF):04x}"
