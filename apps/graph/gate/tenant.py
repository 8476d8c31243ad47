"""Layer 3: the tree is rewritten so that nothing in it can stand for a thing of another tenant.

Every node and every relationship of every pattern, wherever it stands, carries ``tenant_id: $__tenant``; the nodes
inside a path of several hops are checked one by one. At the end the tree is looked through once more: a pattern without
the tenant stops everything (``prove``).
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import transform, walk
from apps.graph.gate import vocabulary
from apps.graph.gate.draft import HIDDEN, Draft
from apps.graph.gate.guards import OWN, Given, Kinds, as_truth, guarded, is_plain_value, joined, kinds_of, nodes_own
from apps.graph.gate.shortest import without_shortest
from apps.graph.gate.verdict import GateRefusal
from apps.graph.schema import TENANT

_STEP = "__step"


def bound_to_tenant(draft: Draft) -> tuple[Draft, str]:
    """The names are the schema's and the query's own; every pattern is the tenant's."""
    vocabulary.check(draft.records, draft.parameters)
    bound = draft.with_query(bind(draft.query, draft, draft.records))
    patterns = prove(bound.records)
    return bound, f"{patterns} nodes and relationships are bound to the tenant."


def bind(query: Any, draft: Draft, records: tuple[Any, ...] | None = None) -> Any:
    """Any tree, with every pattern in it bound to the tenant."""
    kinds = kinds_of(walk(query) if records is None else records, draft.parameters)
    return without_shortest(transform(query, _Binder(draft.parameters, kinds)), draft.parameters, kinds)


def prove(records: Iterable[Any]) -> int:
    """How many nodes and relationships are among the records of a tree, all of them bound.

    AssertionError when one is not, or the inside of a path is not checked: a fault of the gate, and nothing must run.
    """
    found, checked, several = 0, set(), []
    for part in records:
        if isinstance(part, tree.Node | tree.Rel):
            found += 1
            if part.properties is None or part.properties.entries[:1] != ((TENANT, OWN),):
                raise AssertionError("a pattern is not bound to the tenant")
        elif isinstance(part, tree.Path):
            if part.shortest:
                raise AssertionError("shortestPath was not rewritten")
            several += [_marker(part)] if any(rel.hops for rel in part.rels) else []
        elif isinstance(part, tree.Quantifier) and part.variable.startswith(HIDDEN):
            checked.add(part.source)
    if any(not (marker & checked) for marker in several):
        raise AssertionError("the inside of a path is not checked")
    return found


def _marker(path: tree.Path) -> set[tree.Expr]:
    """The lists, one of which must be checked for this path."""
    lists: set[tree.Expr] = {tree.Var(rel.variable) for rel in path.rels if rel.hops and rel.variable}
    if path.variable is not None:
        lists.add(tree.Call("nodes", (tree.Var(path.variable),)))
    return lists


class _Binder:
    """Rewrites one record; the records inside it are rewritten already."""

    def __init__(self, given: Given, kinds: Kinds) -> None:
        self._given = given
        self._kinds = kinds
        self._number = count(1)
        self._parts = (f"__part{number}" for number in count(1))

    def __call__(self, part: Any) -> Any:
        rewrite = _REWRITES.get(type(part))
        return part if rewrite is None else rewrite(self, part)

    def pattern_part(self, part: tree.Node | tree.Rel) -> tree.Node | tree.Rel:
        entries = () if part.properties is None else part.properties.entries
        for key, value in entries:
            if not is_plain_value(value, self._kinds):
                raise GateRefusal(
                    "tenant",
                    f"The value of {key} in a pattern must be a constant, a parameter, a variable, or a property of a "
                    "node or map.",
                    "Compute it before, in a WITH, or compare it in WHERE.",
                )
        return replace(part, properties=tree.MapOf(((TENANT, OWN), *entries)))

    def match(self, clause: tree.Match) -> tree.Match:
        """The patterns of a shortest path are left to shortest.py, WHERE and all."""
        if any(path.shortest for path in clause.paths):
            return clause
        paths = tuple(self._named(path) for path in clause.paths)
        inside = [nodes_own(path.variable) for path in paths if path.variable and _has_hops(path)]
        paths, conditions = guarded(clause.where, paths, self._kinds, self._given, self._parts)
        return replace(clause, paths=paths, where=joined([*inside, *conditions]))

    def with_clause(self, clause: tree.With) -> tree.With:
        """What it sees is the tenant's already."""
        return clause if clause.where is None else replace(clause, where=as_truth(clause.where))

    def predicate(self, predicate: tree.PatternPredicate) -> tree.Exists:
        """A pattern as a truth becomes EXISTS {}: not every server takes the former everywhere."""
        clause = self.match(tree.Match((predicate.pattern,)))
        return tree.Exists(tree.Query((tree.Branch((clause,)),)))

    def comprehension(self, one: tree.PatternComprehension) -> tree.PatternComprehension:
        """ArcadeDB does not know the path inside WHERE, so the steps are checked instead of the nodes."""
        path = one.pattern
        if path.shortest:
            raise GateRefusal(
                "tenant",
                "shortestPath cannot stand in [ ].",
                "Use CALL { WITH a, b MATCH p = shortestPath(...) RETURN p }.",
            )
        if path.variable and one.where is not None and tree.Var(path.variable) in walk(one.where):
            raise GateRefusal(
                "tenant",
                "WHERE inside [ ] cannot use the path.",
                "Name the relationship, as in [(a)-[steps*1..3]->(b) WHERE size(steps) > 1 | b].",
            )
        rels = tuple(
            replace(rel, variable=f"{_STEP}{next(self._number)}") if rel.hops and rel.variable is None else rel
            for rel in path.rels
        )
        path = replace(path, rels=rels)
        inside = [_steps_own(rel.variable) for rel in rels if rel.hops and rel.variable]
        nameless = (replace(path, variable=None),)
        (found,), conditions = guarded(one.where, nameless, self._kinds, self._given, self._parts)
        return replace(one, pattern=replace(found, variable=path.variable), where=joined([*inside, *conditions]))

    def call(self, call: tree.Call) -> tree.Expr:
        """keys(n) does not show what is not the caller's to name."""
        if call.name != "keys":
            return call
        other = tree.Compare((tree.Var("__key"), tree.Const(TENANT)), ("<>",))
        return tree.ListComprehension("__key", call, other, None)

    def _named(self, path: tree.Path) -> tree.Path:
        return replace(path, variable=f"__path{next(self._number)}") if _has_hops(path) and not path.variable else path


def _has_hops(path: tree.Path) -> bool:
    return any(rel.hops is not None for rel in path.rels)


def _steps_own(steps: str) -> tree.Quantifier:
    ends = [
        tree.Compare((tree.Prop(tree.Call(end, (tree.Var(_STEP),)), TENANT), OWN), ("=",))
        for end in ("startNode", "endNode")
    ]
    return tree.Quantifier("all", _STEP, tree.Var(steps), tree.Binary("AND", ends[0], ends[1]))


_REWRITES: dict[type, Any] = {
    tree.Node: _Binder.pattern_part,
    tree.Rel: _Binder.pattern_part,
    tree.Match: _Binder.match,
    tree.With: _Binder.with_clause,
    tree.PatternPredicate: _Binder.predicate,
    tree.PatternComprehension: _Binder.comprehension,
    tree.Call: _Binder.call,
}
