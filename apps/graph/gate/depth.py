"""Layer 4: how far paths reach, how deep queries nest, and how much work a query may be."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import transform
from apps.graph.gate import regexes
from apps.graph.gate.cost import estimate
from apps.graph.gate.draft import Draft
from apps.graph.gate.limits import Limits
from apps.graph.gate.sizes import given
from apps.graph.gate.verdict import GateRefusal


def within_reach(draft: Draft) -> tuple[Draft, str]:
    """Paths get a bound; what is too far, too much or without end is refused."""
    query, added = bound_hops(draft.query, draft.records, draft.limits)
    check_expressions(draft.records, draft)
    score = check_work(query, draft)
    note = f"About {score:.0e} rows at most" + (f"; {added} paths were bounded." if added else ".")
    return draft.with_query(query), note


def bound_hops(query: Any, records: Iterable[Any], limits: Limits) -> tuple[Any, int]:
    """The tree with a bound on every path, and how many got one here."""
    rels = [part for part in records if type(part) is tree.Rel and part.hops is not None]
    for rel in rels:
        _check_hops(rel.hops, limits)  # type: ignore[arg-type]
    added = sum(1 for rel in rels if rel.hops is not None and rel.hops.most is None)
    if not added:
        return query, 0

    def bound(part: Any) -> Any:
        if isinstance(part, tree.Rel) and part.hops is not None and part.hops.most is None:
            return replace(part, hops=tree.Hops(part.hops.least, limits.hops))
        return part

    return transform(query, bound), added


def check_expressions(records: Iterable[Any], draft: Draft) -> None:
    """Regular expressions are gentle."""
    for part in records:
        if type(part) is tree.Binary and part.operator == "=~":
            _check_pattern(part.right, draft)


def check_work(query: tree.Query, draft: Draft) -> float:
    """The estimate. GateRefusal when it is above the limit."""
    score = estimate(query, draft.parameters, draft.limits)
    if score > draft.limits.score:
        raise GateRefusal(
            "depth",
            f"This query may touch about {score:.0e} rows; the most is {draft.limits.score:.0e}.",
            "Join its patterns by relationships, add labels and properties, or make paths and lists shorter.",
        )
    return score


def _check_hops(hops: tree.Hops, limits: Limits) -> None:
    most = limits.hops if hops.most is None else hops.most
    if most > limits.hops or (hops.least or 0) > limits.hops:
        raise GateRefusal(
            "depth", f"A path may have {limits.hops} hops at most.", f"Write *..{limits.hops} or less."
        )  # fmt: skip
    if (hops.least or 0) > most:
        raise GateRefusal("depth", "A path cannot have more hops at least than at most.", "Write *1..3.")


def _check_pattern(pattern: tree.Expr, draft: Draft) -> None:
    value = given(pattern, draft.parameters)
    if not isinstance(value, str):
        raise GateRefusal("depth", "The pattern of =~ must be a text or a parameter.", "Use CONTAINS for values.")
    why = regexes.fault(value, draft.limits.pattern_length)
    if why is not None:
        raise GateRefusal(
            "depth", f"This regular expression is refused: {why}.", "Use CONTAINS, STARTS WITH or ENDS WITH."
        )
