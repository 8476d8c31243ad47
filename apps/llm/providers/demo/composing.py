"""Answers out of the results of steps that were taken, a JSON list of {task, text, columns?, rows?} between tags; and
the gist of a conversation between tags, a line for each turn.
"""

import json
import re
from typing import Any

from apps.llm.providers.demo import tables
from apps.llm.providers.demo.digests import digest, shorten

_RESULTS = re.compile(r"<results>\n(.*?)\n</results>", re.DOTALL)
_CONVERSATION = re.compile(r"<conversation>\n(.*?)\n</conversation>", re.DOTALL)
MAX_RESULTS = 64
GIST_CHARS, TURN_CHARS = 1_600, 160


def results_in(question: str) -> list[dict[str, Any]]:
    """The results that a prompt brings; empty when it brings none, or they were cut."""
    found = _RESULTS.search(question)
    if found is None:
        return []
    try:
        results = json.loads(found.group(1))
    except ValueError:
        return []
    if not isinstance(results, list):
        return []
    return [one for one in results[:MAX_RESULTS] if isinstance(one, dict) and isinstance(one.get("text"), str)]


def composed(results: list[dict[str, Any]]) -> str:
    """Every result's own words, under its task where there are several."""
    if len(results) == 1:
        return str(results[0]["text"])
    return "\n\n".join(f"**{one.get('task', '')}**\n{one['text']}" for one in results)


def summarised(results: list[dict[str, Any]], instruction: str, *, italian: bool) -> str:
    """The gist of the results: of their rows where they have more than a few, else their words."""
    parts = []
    for one in results:
        parts.append(str(one["text"]))
        if len(one.get("rows") or []) > 1:
            found = tables.read(json.dumps({"columns": one.get("columns"), "rows": one["rows"]}))
            parts.append(digest(found, instruction, italian=italian))
    return "\n\n".join(part for part in dict.fromkeys(parts) if part)


def conversation_in(question: str) -> list[tuple[str, str]]:
    """(who, what) of each turn of a conversation that a prompt brings; empty when it brings none."""
    found = _CONVERSATION.search(question)
    lines = found.group(1).splitlines() if found else []
    turns = [line.partition(": ") for line in lines]
    return [(who, what) for who, mark, what in turns if mark and what]


def remembered(turns: list[tuple[str, str]]) -> str:
    """What to keep of it: an earlier gist, then what the person told, then what they asked; the latest first to go."""
    kept = [what for who, what in turns if who == "summary"]
    said = [shorten(what, TURN_CHARS) for who, what in turns if who in ("user", "message")]
    said.sort(key=lambda what: "?" in what)  # what was told before what was asked; each in its order
    for what in dict.fromkeys(said):
        if sum(map(len, kept)) + len(what) > GIST_CHARS:
            break
        kept.append(what)
    return "\n".join(kept)
