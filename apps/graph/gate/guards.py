"""Conditions in the order of trust: first what cannot fail, then the tenant, then what may fail.

A server may look at WHERE before it looks at the properties of a pattern; ArcadeDB does. A condition that can fail, as
``10 / n.size > 1``, would then fail on a node of another tenant and tell that it is there; one that takes long would
tell by its time. So what is not known to be safe is only worked out where all that the patterns stand for is the
tenant's: ``CASE WHEN n.tenant_id = $__tenant AND ... THEN ... ELSE false END = true``. (A null, of nobody's node, is
false there.) All, not only what the condition names: ``MATCH (t:Task) MATCH (p:Protein) WHERE 10 / t.size > 1`` would
otherwise fail where somebody has a protein.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import walk
from apps.graph.gate.draft import TENANT_PARAMETER
from apps.graph.gate.expressions import Kind, column_name, free_names, names_of_path
from apps.graph.gate.verdict import GateRefusal
from apps.graph.schema import TENANT

Kinds = Mapping[str, Kind]
Given = Mapping[str, Any]
Paths = tuple[tree.Path, ...]

OWN = tree.Param(TENANT_PARAMETER)
_EACH = "__each"
_ENDS = ("startNode", "endNode")
_READABLE = ("node", "relationship", "map")


def all_own(elements: tree.Expr) -> tree.Quantifier:
    """Every element of this list belongs to the tenant."""
    return tree.Quantifier("all", _EACH, elements, is_own(_EACH))


def is_own(variable: str) -> tree.Compare:
    """``variable.tenant_id = $__tenant``: typed equality, so null, numbers and lists are never equal."""
    return tree.Compare((tree.Prop(tree.Var(variable), TENANT), OWN), ("=",))


def nodes_own(path: str) -> tree.Quantifier:
    return all_own(tree.Call("nodes", (tree.Var(path),)))


def joined(conditions: list[tree.Expr]) -> tree.Expr | None:
    """All of them, from left to right; None when there are none."""
    if not conditions:
        return None
    return reduce(lambda left, right: tree.Binary("AND", left, right), conditions)


def conjuncts_of(condition: tree.Expr) -> list[tree.Expr]:
    """The parts that AND joins."""
    if isinstance(condition, tree.Binary) and condition.operator == "AND":
        return [*conjuncts_of(condition.left), *conjuncts_of(condition.right)]
    return [condition]


def guarded(
    where: tree.Expr | None, paths: Paths, kinds: Kinds, given: Given, names: Iterator[str]
) -> tuple[Paths, list[tree.Expr]]:
    """The patterns, and the parts of a condition on them, none of which can fail, or take long, on what is not the
    tenant's.

    ``kinds``: what the names of the whole query's patterns are; ``given``: the caller's parameters; ``names``: new ones
    for parts of patterns that have none and must be looked at.
    """
    if where is None:
        return paths, []
    conjuncts = conjuncts_of(where)
    safe = [one for one in conjuncts if is_safe(one, kinds, given)]
    if len(safe) == len(conjuncts):
        return paths, safe
    risky = joined([one for one in conjuncts if not is_safe(one, kinds, given)])
    assert risky is not None
    paths = tuple(path if path.variable else _with_names(path, names) for path in paths)
    return paths, [*safe, _guard(risky, paths, kinds)]


def kinds_of(records: Iterable[Any], given: Given) -> dict[str, Kind]:
    """What the names in all patterns of a query are; ``value`` for those that are something else elsewhere, ``map`` for
    names besides, of whatever a property can be read without fault: maps, and other names of nodes."""
    kinds: dict[str, Kind] = {}
    readable: set[str] = set()
    others: set[str] = set()
    for part in records:
        match part:
            case tree.Path():
                kinds |= kinds_in(part)
            case tree.Unwind(source=source, variable=name):
                (readable if _holds_maps(source, given) else others).add(name)
            case tree.ListComprehension(variable=name) | tree.Quantifier(variable=name):
                others.add(name)
            case tree.Reduce(accumulator=name, variable=other):
                others |= {name, other}
            case (
                tree.With(projection=projection)
                | tree.Subquery(
                    query=tree.Query(branches=(tree.Branch(clauses=(*_, tree.Return(projection=projection))), *_))
                )
            ):
                for one in projection.columns:
                    if not isinstance(one.expression, tree.Var):
                        others.add(column_name(one))
                    elif one.alias is not None and one.alias != one.expression.name:
                        same = one.expression.name in readable or kinds.get(one.expression.name) in _READABLE
                        (readable if same else others).add(one.alias)
    known = kinds | dict.fromkeys(others & set(kinds), "value")
    return known | dict.fromkeys(readable - others - kinds.keys(), "map")


def _holds_maps(source: tree.Expr, given: Given) -> bool:
    """Whether every element of this list is a node, a relationship, a map or null."""
    match source:
        case tree.Call("nodes" | "relationships"):
            return True
        case tree.ListOf(items):
            return all(isinstance(item, tree.MapOf) for item in items)
        case tree.Param(name):
            value = given.get(name)
            return isinstance(value, list) and all(one is None or isinstance(one, dict) for one in value)
        case _:
            return False


def kinds_in(path: tree.Path) -> dict[str, Kind]:
    """What the names of one pattern are."""
    kinds: dict[str, Kind] = {node.variable: "node" for node in path.nodes if node.variable is not None}
    for rel in path.rels:
        if rel.variable is not None:
            kinds[rel.variable] = "relationship" if rel.hops is None else "relationships"
    if path.variable is not None:
        kinds[path.variable] = "path"
    return kinds


def _with_names(path: tree.Path, names: Iterator[str]) -> tree.Path:
    """The same pattern with a name for each part of it."""

    def named(part: Any) -> Any:
        return part if part.variable is not None else replace(part, variable=next(names))

    return replace(path, nodes=tuple(map(named, path.nodes)), rels=tuple(map(named, path.rels)))


def _guard(condition: tree.Expr, paths: Paths, kinds: Kinds) -> tree.Expr:
    """The condition, worked out only where all that the patterns stand for, and what it looks at of names known before,
    is the tenant's."""
    here = {name for path in paths for name in names_of_path(path)}
    before = sorted(name for name in free_names(condition) - here if kinds.get(name, "map") != "map")
    ends = any(isinstance(part, tree.Call) and part.name in _ENDS for part in walk(condition))
    own = [one for path in paths for one in _own_path(path)]
    own += [tree.Binary("OR", tree.IsNull(tree.Var(name)), _own(name, kinds[name], ends=ends)) for name in before]
    checked = joined(list(dict.fromkeys(own)))
    assert checked is not None
    return as_truth(tree.Case(None, ((checked, condition),), tree.Const(False)))


def as_truth(condition: tree.Expr) -> tree.Expr:
    """The condition with every CASE that is a truth itself compared with true: ArcadeDB takes a CASE in WHERE for the
    all() or EXISTS {} inside it and leaves the rest out."""
    match condition:
        case tree.Case():
            return tree.Compare((condition, tree.Const(True)), ("=",))
        case tree.Unary("NOT", operand):
            return replace(condition, operand=as_truth(operand))
        case tree.Binary("AND" | "OR" | "XOR", left, right):
            return replace(condition, left=as_truth(left), right=as_truth(right))
        case _:
            return condition


def _own_path(path: tree.Path) -> list[tree.Expr]:
    """That all of a pattern is the tenant's: all of its path where that has a name, else each part, which then has."""
    if path.variable is not None:
        return [_own(path.variable, "path", ends=False)]
    found: list[tree.Expr] = [is_own(node.variable) for node in path.nodes if node.variable]
    for rel in path.rels:
        if rel.variable:
            found.append(is_own(rel.variable) if rel.hops is None else _own(rel.variable, "relationships", ends=True))
    return found


def _own(name: str, kind: Kind, *, ends: bool) -> tree.Expr:
    """That what the name stands for is the tenant's.

    ``ends``: also the nodes where a list of relationships, or a relationship known before, begins and ends.
    """
    match kind:
        case "value":
            raise GateRefusal("tenant", f"{name} stands for two things in this query.", "Give each a name of its own.")
        case "relationships":
            return tree.Quantifier("all", _EACH, tree.Var(name), _with_ends(_EACH) if ends else is_own(_EACH))
        case "relationship" if ends:
            return _with_ends(name)
        case "path":
            return tree.Binary("AND", nodes_own(name), all_own(tree.Call("relationships", (tree.Var(name),))))
        case _:
            return is_own(name)


def _with_ends(relationship: str) -> tree.Expr:
    """The relationship and the nodes that it connects are the tenant's."""
    nodes = [tree.Prop(tree.Call(end, (tree.Var(relationship),)), TENANT) for end in _ENDS]
    found = joined([is_own(relationship), *(tree.Compare((node, OWN), ("=",)) for node in nodes)])
    assert found is not None
    return found


def is_safe(condition: tree.Expr, kinds: Kinds, given: Given) -> bool:
    """A truth that no value of a property can make fail: comparisons of properties and given values, and so on."""
    match condition:
        case tree.Const(value):
            return value is None or isinstance(value, bool)
        case tree.Compare(operands):
            return all(is_plain_value(one, kinds) for one in operands)
        case tree.IsNull(operand):
            return is_plain_value(operand, kinds)
        case tree.HasLabels(of):
            return isinstance(of, tree.Var)
        case tree.Unary("NOT", operand):
            return is_safe(operand, kinds, given)
        case tree.Binary("AND" | "OR" | "XOR", left, right):
            return is_safe(left, kinds, given) and is_safe(right, kinds, given)
        case tree.Binary("STARTS WITH" | "ENDS WITH" | "CONTAINS", left, right):
            return is_plain_value(left, kinds) and is_plain_value(right, kinds)
        case tree.Binary("IN", left, tree.ListOf(items)):
            return is_plain_value(left, kinds) and all(is_plain_value(item, kinds) for item in items)
        case tree.Binary("IN", left, tree.Param(name)):
            return is_plain_value(left, kinds) and isinstance(given.get(name), list)
        case tree.Quantifier():
            return condition.variable == _EACH
        case _:
            return False


def is_plain_value(expression: tree.Expr, kinds: Kinds) -> bool:
    """A value that is given, or a property of what surely has properties: reading it cannot fail."""
    match expression:
        case tree.Const() | tree.Param() | tree.Var():
            return True
        case tree.Prop(tree.Var(name)):
            return kinds.get(name) in _READABLE
        case tree.Unary("-" | "+", tree.Const()):
            return True
        case _:
            return False
