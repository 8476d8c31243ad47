"""What one can see of an expression without knowing its surroundings: its parts, its kind, its name as a column."""

from collections.abc import Callable
from typing import Any, Literal

from apps.graph.cypher import tree
from apps.graph.cypher.printer import print_expression
from apps.graph.gate.functions import AGGREGATES, FUNCTIONS
from apps.graph.gate.names import LONGEST_COLUMN

Kind = Literal["node", "relationship", "relationships", "path", "list", "map", "value"]
"""``value`` is anything, or not known."""
Env = dict[str, Kind]


def aggregates(expression: tree.Expr) -> bool:
    """Whether a column with this expression makes groups."""
    if isinstance(expression, tree.CountAll):
        return True
    if isinstance(expression, tree.Call) and expression.name.lower() in AGGREGATES:
        return True
    return any(aggregates(part) for part in parts(expression))


def parts(expression: tree.Expr) -> tuple[tree.Expr, ...]:
    """The expressions directly inside one. Of a pattern or a query inside: none."""
    return _PARTS.get(type(expression), _nothing)(expression)


def kind_of(expression: tree.Expr, env: Env) -> Kind:
    """What the expression gives."""
    match expression:
        case tree.Var(name):
            return env.get(name, "value")
        case tree.ListOf() | tree.ListComprehension() | tree.PatternComprehension() | tree.Slice():
            return "list"
        case tree.MapOf() | tree.MapProjection():
            return "map"
        case tree.Call(name):
            function = FUNCTIONS.get(name.lower())
            gives = function.gives if function else "value"
            return "list" if gives == "nodes" else gives
        case _:
            return "value"


def element_kind(expression: tree.Expr, env: Env) -> Kind:
    """What one element of this list is."""
    if isinstance(expression, tree.Call):
        function = FUNCTIONS.get(expression.name.lower())
        if function and function.gives == "nodes":
            return "node"
    return "relationship" if kind_of(expression, env) == "relationships" else "value"


def title(expression: tree.Expr) -> str:
    """The name of a column that its author gave none."""
    text = print_expression(expression)
    return text if len(text) <= LONGEST_COLUMN else text[: LONGEST_COLUMN - 3] + "..."


def column_name(column: tree.Column) -> str:
    """What the column is called."""
    if column.alias is not None:
        return column.alias
    if isinstance(column.expression, tree.Var):
        return column.expression.name
    return title(column.expression)


def names_of_path(path: tree.Path) -> list[str]:
    """The variables in a pattern, each as often as it stands there."""
    return [part.variable for part in (path, *path.nodes, *path.rels) if part.variable is not None]


def _nothing(_: Any) -> tuple[tree.Expr, ...]:
    return ()


def _present(*expressions: tree.Expr | None) -> tuple[tree.Expr, ...]:
    return tuple(one for one in expressions if one is not None)


_PARTS: dict[type, Callable[[Any], tuple[tree.Expr, ...]]] = {
    tree.Prop: lambda one: (one.of,),
    tree.Index: lambda one: (one.of, one.at),
    tree.Slice: lambda one: _present(one.of, one.start, one.stop),
    tree.ListOf: lambda one: one.items,
    tree.MapOf: lambda one: tuple(value for _, value in one.entries),
    tree.MapProjection: lambda one: _present(tree.Var(one.of), *(item.value for item in one.items)),
    tree.Call: lambda one: one.arguments,
    tree.Unary: lambda one: (one.operand,),
    tree.Binary: lambda one: (one.left, one.right),
    tree.Compare: lambda one: one.operands,
    tree.IsNull: lambda one: (one.operand,),
    tree.HasLabels: lambda one: (one.of,),
    tree.Case: lambda one: _present(one.subject, *(part for pair in one.branches for part in pair), one.otherwise),
    tree.ListComprehension: lambda one: _present(one.source, one.where, one.result),
    tree.Quantifier: lambda one: (one.source, one.where),
    tree.Reduce: lambda one: (one.start, one.source, one.step),
}
