"""Which way leads from one label to another, and who does what: walked on the schema's relationships alone."""

from collections import deque
from functools import cache

from apps.graph import schema
from apps.graph.nl2cypher.grammar.frames import Hop

VERB_TYPES = {"RUN": "RUNS", "WORK": "WORKS_AT", "READ": "INPUT", "WRITE": "OUTPUT"}
"""The relationship that a verb speaks of."""
AGENTS = {
    "RUN": ("User", "Institution"),
    "WORK": ("User",),
    "READ": ("Task", "User", "Institution"),
    "WRITE": ("Task", "User", "Institution"),
}
"""Who can be the subject of the verb; the institution by its people, the user by the tasks."""
OBJECTS = {"RUN": ("Task",), "WORK": ("Institution",), "READ": ("File",), "WRITE": ("File",)}
VERB_WORDS = {"RUN": "run", "WORK": "work at", "READ": "read", "WRITE": "write"}


@cache
def road(start: str, end: str, verb: str | None = None) -> tuple[Hop, ...] | None:
    """The shortest way between two different labels; None where there is none, or where the verb is of none of its
    relationships. Without a verb, every relationship between two neighbours counts."""
    if start == end:
        return None
    steps = _steps(start, end)
    if steps is None:
        return None
    wanted = VERB_TYPES.get(verb or "")
    if wanted is not None and not any(wanted in _types(one, other) for one, other in steps):
        return None
    return tuple(_hop(one, other, wanted) for one, other in steps)


def neighbours(label: str) -> tuple[str, ...]:
    """Labels one relationship away."""
    found = [one.target for one in schema.RELATIONSHIPS if one.source == label]
    return tuple(dict.fromkeys(found + [one.source for one in schema.RELATIONSHIPS if one.target == label]))


def may_do(label: str, verb: str) -> bool:
    return label in AGENTS[verb]


def may_be_done(label: str, verb: str) -> bool:
    return label in OBJECTS[verb]


def _steps(start: str, end: str) -> list[tuple[str, str]] | None:
    before: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        label = waiting.popleft()
        if label == end:
            steps = []
            while label != start:
                steps.append((before[label], label))
                label = before[label]
            return steps[::-1]
        for other in neighbours(label):
            if other not in before and other != start:
                before[other] = label
                waiting.append(other)
    return None


def _types(one: str, other: str) -> dict[str, bool]:
    """Types between two labels -> whether the arrow goes from the first to the second."""
    forward = {each.type: True for each in schema.RELATIONSHIPS if (each.source, each.target) == (one, other)}
    return forward | {each.type: False for each in schema.RELATIONSHIPS if (each.source, each.target) == (other, one)}


def _hop(one: str, other: str, wanted: str | None) -> Hop:
    types = _types(one, other)
    if wanted in types:
        types = {wanted: types[wanted]}
    directions = set(types.values())
    return Hop(tuple(types), directions.pop() if len(directions) == 1 else None, other)
