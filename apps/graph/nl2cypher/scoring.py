"""Answers held against answers written by hand: the same rows, or a refusal where there is no answer.

A file of questions is ``{about, questions: [{id, expects: rows | refusal, phrasings, reference, because}]}``;
``reference`` is Cypher whose rows are right.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

from apps.graph import schema
from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.walk import walk
from apps.graph.nl2cypher.types import Answer

Verdict = Literal["right", "refused", "wrong", "elsewhere"]
"""right: the rows are right, or it was right to refuse. refused: there is an answer, and none was given. wrong: other
rows from the right labels and relationships. elsewhere: an answer about other labels or relationships, or to what has
none."""
PLACES = 6
MAX_COLUMNS_TRIED = 7


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. ``reference`` is empty where a refusal is right."""

    id: str
    phrasings: tuple[str, ...]
    reference: str


@dataclass(frozen=True, slots=True)
class Scored:
    """One phrasing's verdict."""

    question: str
    phrasing: str
    verdict: Verdict
    answer: Answer


@dataclass
class Score:
    """All verdicts, and how long each stage took: milliseconds, by stage."""

    scored: list[Scored] = field(default_factory=list)

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict == verdict for one in self.scored)

    @property
    def accuracy(self) -> float:
        """Share of phrasings that are right, 0 to 1."""
        return self.count("right") / len(self.scored) if self.scored else 0.0

    @property
    def silent_refusals(self) -> int:
        """Refusals that do not say why."""
        return sum(one.answer.refused and not (one.answer.refusal and one.answer.refusal.reason) for one in self.scored)

    @property
    def sources(self) -> Counter[str]:
        """Who wrote the queries of the answers."""
        return Counter(str(one.answer.source) for one in self.scored if not one.answer.refused)

    def stage_ms(self) -> dict[str, tuple[float, float]]:
        """Stage -> (median, the longest)."""
        times: dict[str, list[float]] = {}
        for one in self.scored:
            for record in one.answer.stages:
                times.setdefault(record.stage, []).append(record.elapsed_ms)
        return {stage: (sorted(found)[len(found) // 2], max(found)) for stage, found in times.items()}


def load(path: Path) -> list[Asked]:
    """The questions of a file. ValueError where one is neither answered nor refused."""
    found = []
    for one in json.loads(path.read_text(encoding="utf-8"))["questions"]:
        if one["expects"] not in ("rows", "refusal") or (one["expects"] == "rows") != bool(one.get("reference")):
            raise ValueError(f"{path.name}: {one['id']} needs expects rows with a reference, or expects refusal")
        found.append(Asked(one["id"], tuple(one["phrasings"]), one.get("reference", "")))
    return found


def judge(asked: Asked, phrasing: str, answer: Answer, expected: Sequence[Sequence[Any]] | None) -> Scored:
    """The verdict. ``expected``: the reference's rows; None where a refusal is right."""
    if expected is None:
        verdict: Verdict = "right" if answer.refused else "elsewhere"
    elif answer.refused:
        verdict = "refused"
    elif same_rows(expected, answer.rows):
        verdict = "right"
    else:
        verdict = "wrong" if spoken_of(answer.cypher) == spoken_of(asked.reference) else "elsewhere"
    return Scored(asked.id, phrasing, verdict, answer)


def same_rows(expected: Sequence[Sequence[Any]], got: Sequence[Sequence[Any]]) -> bool:
    """Whether some columns of ``got`` hold the same multiset of rows; names and order of columns do not count, nor do
    columns that came besides."""
    if len(expected) != len(got):
        return False
    if not expected:
        return True
    wanted = Counter(tuple(_plain(value) for value in row) for row in expected)
    width = len(expected[0])
    columns = [[_plain(row[at]) for row in got] for at in range(min(len(got[0]), MAX_COLUMNS_TRIED))]
    wanted_columns = [Counter(_plain(row[at]) for row in expected) for at in range(width)]
    for chosen in permutations(range(len(columns)), width):
        if all(Counter(columns[at]) == wanted_columns[place] for place, at in enumerate(chosen)) and (
            Counter(zip(*(columns[at] for at in chosen), strict=True)) == wanted
        ):
            return True
    return False


def spoken_of(cypher: str) -> tuple[frozenset[str], frozenset[str]]:
    """Labels and relationship types that a query names; a kind counts with its label."""
    parts = list(walk(parse(cypher).query))
    labels = {name for part in parts if isinstance(part, tree.Node | tree.HasLabels) for name in part.labels}
    types = {name for part in parts if isinstance(part, tree.Rel) for name in part.types}
    return frozenset(labels | {schema.KINDS[name] for name in labels & schema.KINDS.keys()}), frozenset(types)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else round(value, PLACES)
    if isinstance(value, list | tuple):
        return tuple(_plain(one) for one in value)
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, default=str)
    return value
