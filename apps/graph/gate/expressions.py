"""What one can see of an expression without knowing its surroundings: its parts, its kind, its name as a column."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from apps.graph.cypher import tree
from apps.graph.cypher.printer import print_expression
from apps.graph.cypher.walk import walk
from apps.graph.gate.functions import AGGREGATES, FUNCTIONS
from apps.graph.gate.names import LONGEST_COLUMN, is_name

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
    names = [part.variable for part in elements(path) if part.variable is not None]
    return names if path.variable is None else [path.variable, *names]


def elements(path: tree.Path) -> list[tree.Node | tree.Rel]:
    """The nodes of a pattern, and then its relationships."""
    return [*path.nodes, *path.rels]


def names_after(clause: tree.Clause, names: frozenset[str]) -> frozenset[str]:
    """The variables that are known after a clause of a resolved query, from those before."""
    match clause:
        case tree.Match():
            return names | {name for path in clause.paths for name in names_of_path(path)}
        case tree.Unwind():
            return names | {clause.variable}
        case tree.With() | tree.Return():
            own = {column_name(column) for column in clause.projection.columns}
            return frozenset(own) | names if clause.projection.everything else frozenset(own)
        case tree.Subquery():
            last = clause.query.branches[0].clauses[-1]
            return names | {column_name(column) for column in last.projection.columns}  # type: ignore[union-attr]


def by_expression(key: tree.Expr, columns: list[tree.Column]) -> tree.Expr:
    """A column whose name needs quotes is sorted by its expression: not every server finds it by such a name."""
    if isinstance(key, tree.Var) and not is_name(key.name):
        return next((column.expression for column in columns if column.alias == key.name), key)
    return key


def free_names(expression: tree.Expr) -> set[str]:
    """The variables that an expression takes from outside; those that patterns inside it give are not among them."""
    match expression:
        case tree.Var(name):
            return {name}
        case tree.ListComprehension(variable, source, where, result):
            inner = [part for part in (where, result) if part is not None]
            return free_names(source) | (_all_free(inner) - {variable})
        case tree.Quantifier(_, variable, source, where):
            return free_names(source) | (free_names(where) - {variable})
        case tree.Reduce(accumulator, start, variable, source, step):
            return free_names(start) | free_names(source) | (free_names(step) - {accumulator, variable})
        case tree.PatternComprehension(pattern, where, result):
            inner = [part for part in (where, result) if part is not None]
            return _all_free(inner) - set(names_of_path(pattern))
        case tree.Exists(query):
            used = {part.name for part in walk(query) if isinstance(part, tree.Var)}
            return used - {name for part in walk(query) if isinstance(part, tree.Path) for name in names_of_path(part)}
        case _:
            return _all_free(parts(expression))


def _all_free(expressions: Iterable[tree.Expr]) -> set[str]:
    return {name for one in expressions for name in free_names(one)}


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
