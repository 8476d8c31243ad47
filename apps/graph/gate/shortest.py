"""Part of layer 3: shortestPath() as a search of our own.

A server that looks for the shortest path first and filters afterwards loses the caller's path when another tenant's is
shorter: so does ArcadeDB. Memgraph has no shortestPath(). So the ends are matched first, and for each pair of them the
paths between, all inside the tenant, are sorted by length:

    MATCH (a ...), (b ...) CALL { WITH a, b MATCH p = (a)-[*1..5]->(b) WHERE ... RETURN p ORDER BY length(p) LIMIT 1 }
"""

from dataclasses import replace
from itertools import count
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import transform, walk
from apps.graph.gate.expressions import names_after, names_of_path
from apps.graph.gate.guards import OWN, Given, Kinds, conjuncts_of, guarded, joined, nodes_own
from apps.graph.gate.verdict import GateRefusal
from apps.graph.schema import TENANT

_OWN_MAP = tree.MapOf(((TENANT, OWN),))
_HINT = "Write MATCH p = shortestPath((a)-[*..5]-(b)), with names for both ends."


def without_shortest(query: Any, given: Given, kinds: Kinds) -> Any:
    """The same tree without shortestPath. Its patterns are bound to the tenant already."""
    if not any(isinstance(part, tree.Path) and part.shortest for part in walk(query)):
        return query
    for part in walk(query):
        if isinstance(part, tree.Exists) and any(isinstance(one, tree.Path) and one.shortest for one in walk(part)):
            raise GateRefusal(
                "tenant", "shortestPath cannot stand inside EXISTS.", "Ask whether there is a path: (a)-[*..5]-(b)."
            )
    numbers = count(1)

    def rewrite(part: Any) -> Any:
        if not isinstance(part, tree.Branch):
            return part
        names: frozenset[str] = frozenset()
        clauses: list[tree.Clause] = []
        for clause in part.clauses:
            if isinstance(clause, tree.Match) and any(path.shortest for path in clause.paths):
                made = _search(clause, names, kinds, given, next(numbers))
            else:
                made = [clause]
            for one in made:
                names = names_after(one, names)
            clauses += made
        return replace(part, clauses=tuple(clauses))

    return transform(query, rewrite)


def _search(
    clause: tree.Match, names: frozenset[str], kinds: Kinds, given: Given, number: int
) -> list[tree.Clause]:  # fmt: skip
    wanted = [path for path in clause.paths if path.shortest]
    others = [path for path in clause.paths if not path.shortest]
    path = wanted[0]
    if len(wanted) > 1 or len(path.rels) != 1:
        raise GateRefusal("tenant", "One MATCH finds one shortest path between two nodes.", _HINT)
    if any(one.hops for other in others for one in other.rels):
        raise GateRefusal("tenant", "A shortest path and paths of several hops cannot stand in one MATCH.",
                          "Give each a MATCH of its own.")  # fmt: skip
    start, end = (_with_name(node, f"__{side}{number}") for node, side in
                  zip(path.nodes, ("start", "end"), strict=True))  # fmt: skip
    found = path.variable or f"__path{number}"
    parts = (f"__part{number}_{part}" for part in count(1))
    rel = path.rels[0]
    steps, rel = rel.variable, replace(rel, variable=None, hops=rel.hops or tree.Hops(1, 1))
    on_path, on_ends = _divided(clause.where, {found, steps})
    used = {part.name for part in walk(on_path) if isinstance(part, tree.Var)} if on_path else set()
    before: list[tree.Clause] = []
    ends = (start.variable or "", end.variable or "")
    if clause.optional:
        if others or not set(ends) <= names:
            raise GateRefusal("tenant", "OPTIONAL MATCH of a shortest path needs both ends known before.",
                              "Find both ends with a MATCH first.")  # fmt: skip
    else:
        known = names | {name for other in others for name in names_of_path(other)}
        added = [tree.Path((node,)) for node in (start, end) if node.variable not in known or not _is_bare(node)]
        paths = (*others, *added)
        if paths or on_ends:
            paths, conditions = guarded(on_ends, paths, kinds, given, parts)
            before = [tree.Match(paths, joined(conditions))]
        for one in before:
            names = names_after(one, names)
        on_ends = None
        start, end = (tree.Node(name, properties=_OWN_MAP) for name in ends)
    imported = [*dict.fromkeys(ends), *sorted((used & names) - set(ends))]
    whole = tree.Path((start, end), (rel,), variable=found)
    condition = joined([one for one in (on_ends, on_path and _steps(on_path, steps, found)) if one is not None])
    alone = tree.Path(tuple(replace(node, variable=None) for node in whole.nodes), whole.rels, found)
    where = joined([nodes_own(found), *guarded(condition, (alone,), kinds, given, parts)[1]])
    inside: list[tree.Clause] = [
        tree.With(tree.Projection(tuple(tree.Column(tree.Var(name)) for name in imported))),
        tree.Match((whole,), where, clause.optional),
    ]
    inside += _least(found, steps, number) if path.shortest == "all" else _first(found, steps)
    if path.shortest == "all" and clause.optional:
        raise GateRefusal("tenant", "allShortestPaths cannot be optional.", "Use OPTIONAL MATCH with shortestPath.")
    return [*before, tree.Subquery(tree.Query((tree.Branch(tuple(inside)),)))]


def _divided(where: tree.Expr | None, names: set[str | None]) -> tuple[tree.Expr | None, tree.Expr | None]:
    """The part of a condition that is about the path, and the part that is about its ends."""
    conjuncts = conjuncts_of(where) if where is not None else []
    about = [one for one in conjuncts if any(isinstance(part, tree.Var) and part.name in names for part in walk(one))]
    return joined(about), joined([one for one in conjuncts if one not in about])


def _is_bare(node: tree.Node) -> bool:
    return not node.labels and node.properties == _OWN_MAP


def _with_name(node: tree.Node, name: str) -> tree.Node:
    return node if node.variable is not None else replace(node, variable=name)


def _steps(where: tree.Expr, steps: str | None, path: str) -> tree.Expr:
    """A condition on the list of relationships is one on those of the path."""
    if steps is None:
        return where
    found: tree.Expr = transform(where, lambda part: _relationships(path) if part == tree.Var(steps) else part)
    return found


def _relationships(path: str) -> tree.Expr:
    return tree.Call("relationships", (tree.Var(path),))


def _length(path: str) -> tree.Expr:
    return tree.Call("length", (tree.Var(path),))


def _columns(path: str, steps: str | None) -> tuple[tree.Column, ...]:
    column = tree.Column(tree.Var(path), path)
    return (column,) if steps is None else (column, tree.Column(_relationships(path), steps))


def _first(path: str, steps: str | None) -> list[tree.Clause]:
    order = (tree.Order(_length(path)),)
    return [tree.Return(tree.Projection(_columns(path, steps), order=order, limit=tree.Const(1)))]


def _least(path: str, steps: str | None, number: int) -> list[tree.Clause]:
    every, least = f"__all{number}", f"__least{number}"
    collected = tree.Column(tree.Call("collect", (tree.Var(path),)), every)
    shortest = tree.Column(tree.Call("min", (_length(path),)), least)
    kept = tree.Projection((tree.Column(tree.Var(path), path), tree.Column(tree.Var(least), least)))
    return [
        tree.With(tree.Projection((collected, shortest))),
        tree.Unwind(tree.Var(every), path),
        tree.With(kept, tree.Compare((_length(path), tree.Var(least)), ("=",))),
        tree.Return(tree.Projection(_columns(path, steps))),
    ]
