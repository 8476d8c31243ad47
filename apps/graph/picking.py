"""Which nodes a caller means: by uid, or by a label and properties that are equal. Read through the gate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.graph import naming, queries
from apps.graph.schema import KINDS, LABELS
from apps.identity.principal import Principal
from kernel.errors import ConflictError, NotFoundError, ValidationError

PICKED_MOST = 100  # nodes that one call changes or deletes
_ANY_LABEL = " UNION ALL ".join(f"MATCH (n:{label.label} {{uid: $uid}}) RETURN labels(n) AS labels" for label in LABELS)


@dataclass(frozen=True, slots=True)
class Wish:
    """``uid``, or ``label`` and ``match``; ``label`` may stand beside ``uid``. ``many``: more than one may be meant."""

    uid: str | None = None
    label: str | None = None
    match: Mapping[str, Any] | None = None
    many: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """Nodes of one label. ``kinds``: what they are, closer: kinds of the label, or the label itself."""

    label: str
    uids: tuple[str, ...]
    kinds: frozenset[str] = frozenset()


def pick(principal: Principal, wish: Wish, *, timeout_s: float | None = None) -> Picked:
    """The nodes that are meant. NotFoundError when there is none; ConflictError when there are several and one is
    meant, or more than PICKED_MOST; ValidationError when the wish itself is not clear."""
    if wish.uid is not None:
        return _by_uid(principal, wish, timeout_s)
    if wish.label is None or not wish.match:
        raise ValidationError("Say which node: its uid, or label and match.", code="node_not_named")
    names = [naming.property_of(wish.label, name).name for name in wish.match]
    if None in wish.match.values():
        raise ValidationError("match compares with values; null is equal to nothing.", code="node_not_named")
    equal = ", ".join(f"{name}: $m{number}" for number, name in enumerate(names))
    text = f"MATCH (n:{naming.labels_of(wish.label)} {{{equal}}}) RETURN n.uid AS uid, labels(n) AS labels"
    values = {f"m{number}": value for number, value in enumerate(wish.match.values())}
    passed = queries.inspected(principal, text, values, rows=PICKED_MOST, timeout_s=timeout_s)
    found = queries.read(principal, passed)
    uids = tuple(str(row[0]) for row in found.rows)
    if not uids:
        raise _missing(f"There is no {wish.label} like that in your graph.")
    if found.truncated:
        raise ConflictError(f"More than {PICKED_MOST} nodes match. Say more about them.", code="too_many_nodes")
    if len(uids) > 1 and not wish.many:
        raise ConflictError(
            f"{len(uids)} nodes match, and one is meant. Name it by uid, or say that all of them are meant.",
            code="several_nodes", matched=len(uids), uids=list(uids[:10]),
        )  # fmt: skip
    return Picked(naming.base_of(wish.label), uids, frozenset(_closest(row[1]) for row in found.rows))


def _by_uid(principal: Principal, wish: Wish, timeout_s: float | None) -> Picked:
    if wish.match:
        raise ValidationError("Give either uid or match.", code="node_not_named")
    text = _ANY_LABEL
    if wish.label is not None:
        text = f"MATCH (n:{naming.labels_of(wish.label)} {{uid: $uid}}) RETURN labels(n) AS labels"
    passed = queries.inspected(principal, text, {"uid": wish.uid}, rows=1, timeout_s=timeout_s)
    found = queries.read(principal, passed)
    if not found.rows:
        raise _missing(f"There is no {wish.label or 'node'} with the uid {str(wish.uid)[:80]!r} in your graph.")
    closest = _closest(found.rows[0][0])
    return Picked(naming.base_of(closest), (str(wish.uid),), frozenset((closest,)))


def _closest(labels: list[str]) -> str:
    """Of Task and Blast, Blast."""
    return next((name for name in labels if name in KINDS), labels[0])


def _missing(sentence: str) -> NotFoundError:
    return NotFoundError(f"{sentence} graph.search finds nodes.", code="node_not_found")
