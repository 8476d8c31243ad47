"""Names: how they may look, and which known one is nearest to a wrong one."""

import difflib
import re
from collections.abc import Iterable

from apps.graph.gate.verdict import GateRefusal

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
LONGEST_COLUMN = 120
LONGEST_NAME = 64


def is_plain(name: str) -> bool:
    """A name that every server reads the same without quotes."""
    return PLAIN.fullmatch(name) is not None


def is_name(name: str) -> bool:
    """A name for a variable: one word of letters of any language. ArcadeDB loses names with dots or spaces in them."""
    return name.isidentifier() and len(name) <= LONGEST_NAME


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one in any case, or None when none does."""
    by_lower = {one.lower(): one for one in sorted(known, reverse=True)}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``Did you mean x?``, or nothing."""
    found = nearest(name, known)
    return f"Did you mean {found}?" if found else ""


def refuse(message: str, hint: str = "") -> GateRefusal:
    """The first layer's refusal."""
    return GateRefusal("syntax", message, hint)


def plain(name: str) -> str:
    """The name, when it is one that all servers read alike."""
    if not is_name(name):
        raise refuse(
            f"{name[:60]!r} cannot be the name of a variable.", "Use letters, digits and _, beginning with a letter."
        )
    return name
