"""The texts of tests/data/cypher: what is read, and what is refused with which words."""

import re
from dataclasses import dataclass
from pathlib import Path

_DATA = Path(__file__).resolve().parents[3] / "data" / "cypher"
_CHARACTER = re.compile(r"\{U\+([0-9A-F]{4})\}")


@dataclass(frozen=True)
class Entry:
    """One text. ``mention``: what the refusal must contain; empty in the corpus of what is read."""

    group: str
    text: str
    mention: str = ""


def _entries(name: str) -> list[Entry]:
    found: list[Entry] = []
    group = ""
    for line in (_DATA / name).read_text(encoding="utf-8").split("\n"):
        if line.startswith("# "):
            group = line[2:]
        elif line.startswith("  "):
            found[-1] = Entry(group, found[-1].text + "\n" + line[2:])
        elif line:
            text, _, mention = line.rpartition(" ### ") if " ### " in line else (line, "", "")
            found.append(Entry(group, _CHARACTER.sub(lambda match: chr(int(match[1], 16)), text), mention))
    return found


ACCEPTED = _entries("accepted.txt")
REFUSED = _entries("refused.txt")


def refused(group: str) -> list[Entry]:
    """The entries of the groups whose heading contains these words."""
    found = [entry for entry in REFUSED if group in entry.group]
    assert found, group
    return found
