"""Nodes by words: through the gate the graph says which could be meant, text similarity says which fit best.

A word is looked for in the texts by which people know a node: its label's key and name, and what describes it. There
are no embeddings: two texts are alike when their letters are, not when they mean the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, utils

from apps.graph import naming, queries
from apps.graph.schema import LABELS, label_named
from apps.identity.principal import Principal

CANDIDATES = 400  # nodes that are compared with the words, of each label that is searched
GRAM, GRAMS_MOST = 3, 30
_FURTHER = ("name", "description", "function", "symbol", "user_name", "doi", "organism", "command", "taxon", "journal")
_RANK = 60  # of reciprocal rank fusion: how little the first places stand out


@dataclass(frozen=True, slots=True)
class Hit:
    """``node`` as results.py shows it; ``score`` of 0 to 1, ``matched`` the property that was alike."""

    node: dict[str, Any]
    score: float
    matched: str


@dataclass(frozen=True, slots=True)
class Found:
    """Best first. ``compared``: how many nodes were; ``truncated``: more could have been."""

    hits: list[Hit]
    compared: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What is looked for, and where: in one label or kind, or in all. ``without``: a uid that is not found."""

    text: str
    label: str | None
    top_k: int
    timeout_s: float
    without: str | None = None
    cancelled: Callable[[], bool] | None = None

    @property
    def labels(self) -> list[str]:
        return [self.label] if self.label is not None else [one.label for one in LABELS]


def containing(principal: Principal, words: Words) -> Found:
    """Nodes in whose texts the words stand, in any case."""
    needle = words.text.strip().lower()
    texts = [
        f"MATCH (n:{naming.labels_of(label)}) WHERE "
        + " OR ".join(f"toLower(n.{name}) CONTAINS $words" for name in names_of(label))
        + f" RETURN n LIMIT {CANDIDATES}"
        for label in words.labels
    ]
    return _ranked(principal, words, texts, {"words": needle}, _exactness)


def similar(principal: Principal, words: Words) -> Found:
    """Nodes whose texts are alike, letter by letter: misspelt words are found, too."""
    grams = grams_of(words.text)
    texts = []
    for label in words.labels:
        shared = " + ".join(f"size([g IN $grams WHERE toLower(n.{name}) CONTAINS g])" for name in names_of(label)[:3])
        texts.append(
            f"MATCH (n:{naming.labels_of(label)}) WITH n, {shared} AS shared WHERE shared > 0 "
            f"RETURN n ORDER BY shared DESC LIMIT {CANDIDATES}"
        )
    return _ranked(principal, words, texts, {"grams": grams}, fuzz.WRatio)


def hybrid(principal: Principal, words: Words) -> Found:
    """Both lists in one, by the places that a node has in each (reciprocal rank fusion)."""
    lists = (containing(principal, words), similar(principal, words))
    scores: dict[str, float] = {}
    best: dict[str, Hit] = {}
    for found in lists:
        for place, hit in enumerate(found.hits):
            uid = hit.node["uid"]
            scores[uid] = scores.get(uid, 0.0) + 1 / (_RANK + place)
            if uid not in best or best[uid].score < hit.score:
                best[uid] = hit
    most = len(lists) / _RANK
    hits = [
        Hit(best[uid].node, round(score / most, 4), best[uid].matched)
        for uid, score in sorted(scores.items(), key=lambda item: (-item[1], -best[item[0]].score, item[0]))
    ]
    compared = max(found.compared for found in lists)
    return Found(hits[: words.top_k], compared, any(found.truncated for found in lists))


def names_of(label: str) -> list[str]:
    """The properties of a label in which words are looked for: its name and key first."""
    known = label_named(label)
    texts = {one.name for one in known.properties if one.type == "text"}
    return [name for name in dict.fromkeys((known.name, known.key, *_FURTHER)) if name in texts]


def called(node: dict[str, Any]) -> str:
    """What people call a node (as results.py shows it) by; its uid where it has no name."""
    names = (node["properties"].get(one) for label in node["labels"] for one in names_of(label)[:1])
    return next((one for one in names if isinstance(one, str)), str(node["uid"]))


def grams_of(text: str) -> list[str]:
    """Three letters in a row of each word, each once; short words whole."""
    words = utils.default_process(text).split() or [text.strip().lower()]
    every = [word[at : at + GRAM] for word in words for at in range(max(1, len(word) - GRAM + 1))]
    return list(dict.fromkeys(every))[:GRAMS_MOST]


def _ranked(
    principal: Principal,
    words: Words,
    texts: Sequence[str],
    parameters: dict[str, Any],
    measure: Callable[..., float],
) -> Found:
    hits, compared, truncated = list[Hit](), 0, False
    for text in texts:
        passed = queries.inspected(principal, text, parameters, timeout_s=words.timeout_s)
        found = queries.read(principal, passed, cancelled=words.cancelled)
        truncated = truncated or found.truncated or len(found.rows) >= CANDIDATES
        compared += len(found.rows)
        for (node,) in found.rows:
            if node["uid"] != words.without:
                hits.append(_scored(node, words.text, measure))
    hits.sort(key=lambda hit: (-hit.score, hit.node["uid"]))
    return Found(hits[: words.top_k], compared, truncated)


def _scored(node: dict[str, Any], wanted: str, measure: Callable[..., float]) -> Hit:
    """The property that is most alike decides; of equals, the name."""
    best = Hit(node, 0.0, "")
    for name in dict.fromkeys(name for label in node["labels"] for name in names_of(label)):
        value = node["properties"].get(name)
        if isinstance(value, str) and value:
            score = round(measure(wanted, value, processor=utils.default_process) / 100, 4)
            if score > best.score:
                best = Hit(node, score, name)
    return best


def _exactness(wanted: str, value: str, *, processor: Any) -> float:
    """How much of the text the words are, where they stand in it."""
    if wanted.strip().lower() not in value.lower():
        return 0.0
    return 50.0 + fuzz.ratio(wanted, value, processor=processor) / 2
