"""Conditions in the order of trust: first what cannot fail, then the tenant, then what may fail.

A server may look at WHERE before it looks at the properties of a pattern; ArcadeDB does. A condition that can fail, as
``10 / n.size > 1``, would then fail on a node of another tenant and tell that it is there. So what can fail is only
worked out where the tenant is right: ``CASE WHEN n.tenant_id = $__tenant THEN ... ELSE false END``.
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

from apps.graph.cypher import tree
from apps.graph.gate.draft import TENANT_PARAMETER
from apps.graph.schema import TENANT

OWN = tree.Param(TENANT_PARAMETER)
_EACH = "__each"


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
    where: tree.Expr | None, paths: tuple[tree.Path, ...], parameters: Mapping[str, Any]
) -> list[tree.Expr]:  # fmt: skip
    """The parts of a condition on these patterns. None of them can fail on what is not the tenant's."""
    if where is None:
        return []
    conjuncts = conjuncts_of(where)
    safe = [one for one in conjuncts if is_safe(one, parameters)]
    rest = [one for one in conjuncts if not is_safe(one, parameters)]
    own = _own_parts(paths)
    risky = joined(rest)
    if risky is None:
        return safe
    if not own:
        return [*safe, risky]
    condition = joined(own)
    assert condition is not None
    return [*safe, tree.Case(None, ((condition, risky),), tree.Const(False))]


def is_safe(condition: tree.Expr, parameters: Mapping[str, Any]) -> bool:
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
            return is_safe(operand, parameters)
        case tree.Binary("AND" | "OR" | "XOR", left, right):
            return is_safe(left, parameters) and is_safe(right, parameters)
        case tree.Binary("STARTS WITH" | "ENDS WITH" | "CONTAINS", left, right):
            return is_plain_value(left) and is_plain_value(right)
        case tree.Binary("IN", left, tree.ListOf(items)):
            return is_plain_value(left) and all(is_plain_value(item) for item in items)
        case tree.Binary("IN", left, tree.Param(name)):
            return is_plain_value(left) and isinstance(parameters.get(name), list)
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


def _own_parts(paths: tuple[tree.Path, ...]) -> list[tree.Expr]:
    """That everything which these patterns name belongs to the tenant."""
    own: dict[str, tree.Expr] = {}
    for path in paths:
        for node in path.nodes:
            if node.variable is not None:
                own[node.variable] = is_own(node.variable)
        for rel in path.rels:
            if rel.variable is not None:
                listed = rel.hops is not None
                own[rel.variable] = all_own(tree.Var(rel.variable)) if listed else is_own(rel.variable)
        if path.variable is not None:
            own[path.variable] = nodes_own(path.variable)
            steps = tree.Call("relationships", (tree.Var(path.variable),))
            own[f"{path.variable}'s steps"] = all_own(steps)
    return list(own.values())
