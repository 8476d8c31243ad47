"""Where a server begins with a pattern, and how many nodes that is, roughly. The weights of cost.py."""

from apps.graph import schema
from apps.graph.cypher import tree

EVERYTHING = 100_000.0
NODES = 10_000.0
COLLECTED = 500_000.0  # elements of one collect(): ArcadeDB refuses more
FILTERED = 100.0
KEYED = 1.0
DEGREE = 5.0
_KEYS: frozenset[str] = frozenset({schema.UID} | {one.key for one in schema.LABELS})


def cheapest_start(path: tree.Path, pins: dict[str, float]) -> float:
    """How many nodes the cheapest node of the pattern stands for."""
    return min(_nodes(node, pins) for node in path.nodes)


def pinned(where: tree.Expr | None) -> dict[str, float]:
    """Variables that a condition compares with something: variable -> how many nodes are left."""
    match where:
        case tree.Binary("AND", left, right):
            one, other = pinned(left), pinned(right)
            return {name: min(one.get(name, NODES), other.get(name, NODES)) for name in one | other}
        case tree.Compare((tree.Prop(tree.Var(name), key), value), ("=",)) if _is_given(value):
            return {name: _by_key(key)}
        case tree.Compare((value, tree.Prop(tree.Var(name), key)), ("=",)) if _is_given(value):
            return {name: _by_key(key)}
        case tree.Binary("IN", tree.Prop(tree.Var(name), key), tree.ListOf() | tree.Param()):
            return {name: FILTERED}
        case tree.Binary("STARTS WITH" | "CONTAINS" | "ENDS WITH", tree.Prop(tree.Var(name)), value):
            return {name: FILTERED} if _is_given(value) else {}
        case _:
            return {}


def _nodes(node: tree.Node, pins: dict[str, float]) -> float:
    count = pins.get(node.variable, NODES) if node.variable else NODES
    keys = [key for key, _ in node.properties.entries if key != schema.TENANT] if node.properties else []
    count = min([count, *(_by_key(key) for key in keys)])
    return count if node.labels or count < NODES else EVERYTHING


def _by_key(key: str) -> float:
    if key == schema.TENANT:
        return NODES
    return KEYED if key in _KEYS else FILTERED


def _is_given(value: tree.Expr) -> bool:
    return isinstance(value, tree.Const | tree.Param)
