"""Names, texts and numbers as every engine reads them, and reads them alike.

Texts stand in single quotes. A backslash is doubled, and a u after one becomes an escape, so that an engine which
decodes \\uXXXX before it looks for quotes sees the same text as one which decodes it afterwards (security 68).
"""

import re
from functools import lru_cache

from apps.graph.cypher.lexer import CHANGE_KEYWORDS, readable_name

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset(CHANGE_KEYWORDS) | {
    "ADD", "CONSTRAINT", "DO", "DROP", "EXISTS", "FOR", "FOREACH", "FROM", "LOAD", "MANDATORY", "OF", "REQUIRE",
    "SCALAR", "UNIQUE", "USE", "USING", "YIELD",
}  # fmt: skip
"""Words that some engine may take for more than a name. Quoting one too many is harmless."""
_TEXT_SIGNS = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_NEEDS_ESCAPE = re.compile(r"\\[uU]?|'|[^ -~]")


@lru_cache(maxsize=4096)
def name_text(name: str) -> str:
    """``name``, in backticks where it needs them; ValueError when it is no name at all."""
    if _PLAIN.fullmatch(name) and name.upper() not in RESERVED:
        return name
    if not readable_name(name):
        raise ValueError(f"not a name: {name!r}")
    return "`" + name.replace("`", "``") + "`"


def name_before_brace(name: str) -> str:
    """A variable that a ``{`` may follow: ``count {`` would begin a subquery."""
    return f"`{name}`" if name.lower() in ("count", "collect") else name_text(name)


def function_text(name: str) -> str:
    """The name of a function, which is never quoted."""
    if not _PLAIN.fullmatch(name) or name.upper() in CHANGE_KEYWORDS.keys() - {"ALL"}:
        raise ValueError(f"not a function's name: {name!r}")
    return name


def parameter_text(name: str) -> str:
    """``$name``."""
    if not _PLAIN.fullmatch(name):
        raise ValueError(f"not a parameter's name: {name!r}")
    return "$" + name


def constant_text(value: str | int | float | bool | None) -> str:
    """A literal; ValueError for numbers that have none."""
    if isinstance(value, str):
        return "'" + _NEEDS_ESCAPE.sub(_escaped, value) + "'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("a whole number beyond 64 bits")
        return str(value)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("not a number that can be written")
    return repr(value).replace("e+", "e")


def _escaped(match: re.Match[str]) -> str:
    sign = match[0]
    if sign in _TEXT_SIGNS:
        return _TEXT_SIGNS[sign]
    if sign[0] == "\\":
        return f"\\\\\\u{ord(sign[1]):04X}"
    if sign.isprintable() or ord(sign) > 0xFFFF:
        return sign
    if sign == "\x00" or 0xD800 <= ord(sign) <= 0xDFFF:
        raise ValueError("a text with a NUL or half a character")
    return f"\\u{ord(sign):04X}"
