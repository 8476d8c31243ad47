"""Conditions in the order of trust: first what cannot fail, then the tenant, then what may fail.

A server may look at WHERE before it looks at the properties of a pattern; ArcadeDB does. A condition that can fail, as
``10 / n.size > 1``, would then fail on a node of another tenant and tell that it is there; one that takes long would
tell by its time. So what is not known to be safe is only worked out where the tenant is right:
``CASE WHEN n.tenant_id = $__tenant THEN ... ELSE false END = true``. (A null, of nobody's node, is false there.)
"""

from collections.abc import Iterable, Mapping
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

OWN = tree.Param(TENANT_PARAMETER)
_EACH = "__each"
_ENDS = ("startNode", "endNode")


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


def guarded(where: tree.Expr | None, paths: tuple[tree.Path, ...], kinds: Kinds, given: Given) -> list[tree.Expr]:
    """The parts of a condition on these patterns. None of them can fail, or take long, on what is not the tenant's.

    ``kinds``: what the names of the whole query's patterns are; ``given``: the caller's parameters.
    """
    if where is None:
        return []
    here = {name: kind for path in paths for name, kind in kinds_in(path).items()}
    conjuncts = conjuncts_of(where)
    safe = [one for one in conjuncts if is_safe(one, given)]
    mentioned = _mentioned(where) & here.keys()
    return [*safe, *(_guard(one, mentioned, here, kinds) for one in conjuncts if one not in safe)]


def kinds_of(records: Iterable[Any]) -> dict[str, Kind]:
    """What the names in all patterns of a query are; ``value`` for those that are something else elsewhere."""
    kinds: dict[str, Kind] = {}
    others: set[str] = set()
    for part in records:
        match part:
            case tree.Path():
                kinds |= kinds_in(part)
            case tree.Unwind(variable=name) | tree.ListComprehension(variable=name) | tree.Quantifier(variable=name):
                others.add(name)
            case tree.Reduce(accumulator=name, variable=other):
                others |= {name, other}
            case (
                tree.With(projection=projection)
                | tree.Subquery(
                    query=tree.Query(branches=(tree.Branch(clauses=(*_, tree.Return(projection=projection))), *_))
                )
            ):
                others |= {column_name(one) for one in projection.columns if not isinstance(one.expression, tree.Var)}
    return kinds | dict.fromkeys(others & set(kinds), "value")


def kinds_in(path: tree.Path) -> dict[str, Kind]:
    """What the names of one pattern are."""
    kinds: dict[str, Kind] = {node.variable: "node" for node in path.nodes if node.variable is not None}
    for rel in path.rels:
        if rel.variable is not None:
            kinds[rel.variable] = "relationship" if rel.hops is None else "relationships"
    if path.variable is not None:
        kinds[path.variable] = "path"
    return kinds


def _guard(condition: tree.Expr, mentioned: set[str], here: Kinds, kinds: Kinds) -> tree.Expr:
    """The condition, worked out only where all that it looks at is the tenant's; with the rest of WHERE where it looks
    at none of the patterns here.

    All of it, not only what can fail: in ``n.uid <> 'x' OR 1 / 0 = 1`` what can fail names nothing, and whether it is
    worked out tells of n.
    """
    of_here = _mentioned(condition) & here.keys() or mentioned
    ends = any(isinstance(part, tree.Call) and part.name in _ENDS for part in walk(condition))
    named = sorted(of_here | (free_names(condition) & kinds.keys()))
    own = joined([_own(name, here, kinds, ends=ends) for name in named])
    if own is None:
        return as_truth(condition)
    return as_truth(tree.Case(None, ((own, condition),), tree.Const(False)))


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


def _mentioned(condition: tree.Expr) -> set[str]:
    """Every name that stands in it anywhere, in patterns too: an EXISTS {} may match again what is known outside."""
    names: set[str] = set()
    for part in walk(condition):
        match part:
            case tree.Var(name) | tree.MapProjection(of=name):
                names.add(name)
            case tree.Path():
                names.update(names_of_path(part))
    return names


def _own(name: str, here: Kinds, kinds: Kinds, *, ends: bool) -> tree.Expr:
    """That what the name stands for is the tenant's. What an OPTIONAL MATCH before did not find is nobody's.

    ``ends``: the condition looks at where relationships begin or end, so these nodes must be the tenant's as well.
    """
    match here.get(name) or kinds[name]:
        case "value":
            raise GateRefusal("tenant", f"{name} stands for two things in this query.", "Give each a name of its own.")
        case "relationships":
            each = _with_ends(_EACH) if ends else is_own(_EACH)
            own: tree.Expr = tree.Quantifier("all", _EACH, tree.Var(name), each)
        case "relationship" if ends:
            own = _with_ends(name)
        case "path":
            own = tree.Binary("AND", nodes_own(name), all_own(tree.Call("relationships", (tree.Var(name),))))
        case _:
            own = is_own(name)
    return own if name in here else tree.Binary("OR", tree.IsNull(tree.Var(name)), own)


def _with_ends(relationship: str) -> tree.Expr:
    """The relationship and the nodes that it connects are the tenant's."""
    nodes = [tree.Prop(tree.Call(end, (tree.Var(relationship),)), TENANT) for end in _ENDS]
    found = joined([is_own(relationship), *(tree.Compare((node, OWN), ("=",)) for node in nodes)])
    assert found is not None
    return found


def is_safe(condition: tree.Expr, given: Given) -> bool:
    """A truth that no value of a property can make fail: comparisons of properties and given values, and so on."""
    match condition:
        case tree.Const(value):
            return value is None or isinstance(value, bool)
        case tree.Compare(operands):
            return all(is_plain_value(one) for one in operands)
        case tree.IsNull(operand):
            return is_plain_value(operand)
        case tree.HasLabels(of):
            return isinstance(of, tree.Var)
        case tree.Unary("NOT", operand):
            return is_safe(operand, given)
        case tree.Binary("AND" | "OR" | "XOR", left, right):
            return is_safe(left, given) and is_safe(right, given)
        case tree.Binary("STARTS WITH" | "ENDS WITH" | "CONTAINS", left, right):
            return is_plain_value(left) and is_plain_value(right)
        case tree.Binary("IN", left, tree.ListOf(items)):
            return is_plain_value(left) and all(is_plain_value(item) for item in items)
        case tree.Binary("IN", left, tree.Param(name)):
            return is_plain_value(left) and isinstance(given.get(name), list)
        case tree.Quantifier():
            return condition.variable == _EACH
        case _:
            return False


def is_plain_value(expression: tree.Expr) -> bool:
    """A value that is given, or a property of something that is named: reading it cannot fail."""
    match expression:
        case tree.Const() | tree.Param() | tree.Var() | tree.Prop(tree.Var()):
            return True
        case tree.Unary("-" | "+", tree.Const()):
            return True
        case _:
            return False
