"""Which names stand where, and what they stand for. Servers report a wrong name each in its own way, or not at all.

Part of the first layer: after it, every variable is known, every column has a name, and no ``*`` is left in a WITH or
RETURN outside EXISTS.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from apps.graph.cypher import tree
from apps.graph.gate.expressions import (
    Env,
    Kind,
    aggregates,
    by_expression,
    column_name,
    element_kind,
    kind_of,
    names_of_path,
    parts,
)
from apps.graph.gate.functions import AGGREGATES
from apps.graph.gate.names import LONGEST_COLUMN, did_you_mean, is_name, plain, refuse
from apps.graph.gate.patterns import known_with
from apps.graph.gate.verdict import GateRefusal

Place = Literal["top", "call", "exists"]


def resolve(query: tree.Query, outer: Env, place: Place) -> tuple[tree.Query, Env]:
    """The query with its columns named, and the columns with their kinds, in order. GateRefusal for a wrong name.

    ``outer``: what the query around this one knows. A CALL {} sees of it what its leading WITH imports, an EXISTS {}
    everything.
    """
    branches, columns = [], None
    for branch in query.branches:
        resolved, found = _branch(branch, outer, place)
        branches.append(resolved)
        if columns is not None and list(found) != list(columns):
            raise refuse(
                f"The parts of a UNION must return the same columns, here {', '.join(columns)} and {', '.join(found)}.",
                "Give them the same names with AS, in the same order.",
            )
        columns = found if columns is None else {name: _joined(columns[name], found[name]) for name in columns}
    return replace(query, branches=tuple(branches)), columns or {}


def resolve_reading(clauses: tuple[Any, ...]) -> tuple[tuple[Any, ...], Env]:
    """Clauses without a RETURN, as a change begins with, and what is known after them."""
    env: Env = {}
    resolved = []
    for clause in clauses:
        clause, env = _clause(clause, env, "top")
        resolved.append(clause)
    return tuple(resolved), env


def resolve_projection(projection: tree.Projection, env: Env) -> tuple[tree.Projection, Env]:
    """A RETURN's projection with its columns named, and the columns."""
    return _projection(projection, env, last=True, place="top")


def _branch(branch: tree.Branch, outer: Env, place: Place) -> tuple[tree.Branch, Env]:
    env: Env = dict(outer) if place == "exists" else {}
    clauses: list[tree.Clause] = list(branch.clauses)
    if not clauses:
        raise refuse("There is no query.", "Write MATCH ... RETURN ...")
    first = clauses[0]
    if place == "call" and isinstance(first, tree.With):
        _check_import(first, outer)
        env = dict(outer)
    columns: Env | None = None
    for number, clause in enumerate(clauses):
        if columns is not None:
            raise refuse("RETURN must be the last clause.", "Use WITH to pass values on.")
        if isinstance(clause, tree.Return):
            projection, columns = _projection(clause.projection, env, last=True, place=place)
            clauses[number] = replace(clause, projection=projection)
        else:
            clauses[number], env = _clause(clause, env, place)
    if columns is None:
        if place != "exists":
            raise refuse("The query has no RETURN.", "Say at its end what you want to see: RETURN ...")
        columns = {}
    return replace(branch, clauses=tuple(clauses)), columns


def _clause(clause: tree.Clause, env: Env, place: Place) -> tuple[tree.Clause, Env]:
    match clause:
        case tree.Match():
            after = add_paths(clause.paths, env)
            if clause.where is not None:
                check(clause.where, after)
            return clause, after
        case tree.Unwind():
            check(clause.source, env)
            return clause, env | {_new(clause.variable, env): element_kind(clause.source, env)}
        case tree.With():
            projection, columns = _projection(clause.projection, env, last=False, place=place)
            if clause.where is not None:
                check(clause.where, columns if not clause.projection.everything else env | columns)
            return replace(clause, projection=projection), columns
        case tree.Subquery():
            query, columns = resolve(clause.query, env, "call")
            for name in columns:
                _new(name, env)
            return replace(clause, query=query), env | columns
        case tree.Return():
            raise AssertionError("RETURN is handled by its branch")


def _projection(
    projection: tree.Projection, env: Env, *, last: bool, place: Place
) -> tuple[tree.Projection, Env]:  # fmt: skip
    """The projection with every column named, and what it leaves known."""
    found: Env = {}
    columns: list[tree.Column] = []
    keep_star = projection.everything and place == "exists"
    if projection.everything:
        if not env:
            raise refuse("There is nothing that * could stand for.", "Name what you want to see.")
        if not keep_star:
            columns += [tree.Column(tree.Var(name)) for name in env]
        found |= env
    for column in projection.columns:
        check(column.expression, env, aggregates=True)
        name = column_name(column) if last or column.alias else _plain_column(column)
        if name in found:
            raise refuse(f"Two columns are called {name}.", "Give one of them another name with AS.")
        if (not last and not is_name(name)) or len(name) > LONGEST_COLUMN or not name.isprintable():
            raise refuse(
                f"{name[:60]!r} cannot be the name of a column{'' if last else ' of WITH'}.",
                "Use letters, digits and _, beginning with a letter.",
            )
        found[name] = kind_of(column.expression, env)
        same = isinstance(column.expression, tree.Var) and column.expression.name == name
        columns.append(replace(column, alias=None if same else name))
    aggregated = projection.distinct or any(aggregates(column.expression) for column in columns)
    for key in projection.order:
        check(key.expression, env | found, aggregates=aggregated)
    for bound in (projection.skip, projection.limit):
        if bound is not None and not isinstance(bound, tree.Const | tree.Param):
            raise refuse("SKIP and LIMIT take a number or a parameter.", "Write LIMIT 10 or LIMIT $count.")
    keys: dict[tree.Expr, tree.Order] = {}
    for key in projection.order:  # the second of two equal keys says nothing, and would be printed in full again
        keys.setdefault(key.expression, key)
    order = tuple(replace(key, expression=by_expression(key.expression, columns)) for key in keys.values())
    return replace(projection, columns=tuple(columns), everything=keep_star, order=order), found


def _check_import(clause: tree.With, outer: Env) -> None:
    projection = clause.projection
    plain = all(isinstance(one.expression, tree.Var) and one.alias in (None, one.expression.name)
                for one in projection.columns)  # fmt: skip
    if not plain or clause.where or projection.order or projection.skip or projection.limit or projection.distinct:
        raise refuse(
            "The first WITH of a CALL {} only names the variables that it takes over.",
            "Write WITH a, b and then a second WITH for anything else.",
        )
    for column in projection.columns:
        check(column.expression, outer)


def _plain_column(column: tree.Column) -> str:
    if isinstance(column.expression, tree.Var):
        return column.expression.name
    raise refuse("An expression in WITH needs a name.", "Add AS and a name.")


def _new(name: str, env: Env) -> str:
    if name in env:
        raise refuse(f"{name} is known already.", "Choose another name.")
    return plain(name)


def _joined(one: Kind, other: Kind) -> Kind:
    return one if one == other else "value"


def check(expression: tree.Expr, env: Env, *, aggregates: bool = False) -> None:
    """Every name is known, aggregates stand where they may. GateRefusal otherwise."""
    _CHECKS[type(expression)](expression, env, aggregates)


def add_paths(paths: tuple[tree.Path, ...], env: Env) -> Env:
    """What is known after these patterns. GateRefusal for a name that is wrong in them."""
    return known_with(paths, env, check)


def _var(expression: tree.Var, env: Env, _: bool) -> None:
    if expression.name not in env:
        raise refuse(f"The variable {expression.name} is not known here.", did_you_mean(expression.name, env))


def _inside(expression: tree.Expr, env: Env, aggregated: bool) -> None:
    for part in parts(expression):
        _CHECKS[type(part)](part, env, aggregated)


def _map_projection(expression: tree.MapProjection, env: Env, aggregated: bool) -> None:
    _var(tree.Var(expression.of), env, aggregated)
    for item in expression.items:
        if item.kind == "variable":
            _var(tree.Var(item.key), env, aggregated)
        elif item.value is not None:
            check(item.value, env, aggregates=aggregated)


def _count_all(_: tree.CountAll, __: Env, aggregated: bool) -> None:
    if not aggregated:
        raise _misplaced("count")


def _call(expression: tree.Call, env: Env, aggregated: bool) -> None:
    is_aggregate = expression.name.lower() in AGGREGATES
    if is_aggregate and not aggregated:
        raise _misplaced(expression.name)
    if expression.distinct and not is_aggregate:
        raise refuse(f"DISTINCT has no meaning in {expression.name}().", "Leave it out.")
    for argument in expression.arguments:
        check(argument, env, aggregates=aggregated and not is_aggregate)


def _misplaced(name: str) -> GateRefusal:
    return refuse(
        f"{name}() counts rows and cannot stand here.", f"Compute it in a WITH before: WITH ..., {name}(...) AS total."
    )


def _list_comprehension(expression: tree.ListComprehension, env: Env, aggregated: bool) -> None:
    check(expression.source, env, aggregates=aggregated)
    inner = env | {plain(expression.variable): element_kind(expression.source, env)}
    for part in (expression.where, expression.result):
        if part is not None:
            check(part, inner)


def _quantifier(expression: tree.Quantifier, env: Env, aggregated: bool) -> None:
    check(expression.source, env, aggregates=aggregated)
    check(expression.where, env | {plain(expression.variable): element_kind(expression.source, env)})


def _reduce(expression: tree.Reduce, env: Env, aggregated: bool) -> None:
    check(expression.start, env, aggregates=aggregated)
    check(expression.source, env, aggregates=aggregated)
    inner: Env = {plain(expression.accumulator): "value"}
    inner[plain(expression.variable)] = element_kind(expression.source, env)
    check(expression.step, env | inner)


def _pattern_comprehension(expression: tree.PatternComprehension, env: Env, _: bool) -> None:
    inner = add_paths((expression.pattern,), env)
    if expression.where is not None:
        check(expression.where, inner)
    check(expression.result, inner)


def _pattern_predicate(expression: tree.PatternPredicate, env: Env, _: bool) -> None:
    for name in names_of_path(expression.pattern):
        _var(tree.Var(name), env, False)
    add_paths((expression.pattern,), env)


def _exists(expression: tree.Exists, env: Env, _: bool) -> None:
    resolve(expression.query, env, "exists")


_CHECKS: dict[type, Callable[[Any, Env, bool], None]] = {
    tree.Const: lambda *_: None,
    tree.Param: lambda *_: None,
    tree.Var: _var,
    tree.CountAll: _count_all,
    tree.Call: _call,
    tree.MapProjection: _map_projection,
    tree.ListComprehension: _list_comprehension,
    tree.Quantifier: _quantifier,
    tree.Reduce: _reduce,
    tree.PatternComprehension: _pattern_comprehension,
    tree.PatternPredicate: _pattern_predicate,
    tree.Exists: _exists,
    **dict.fromkeys(
        (tree.Prop, tree.Index, tree.Slice, tree.ListOf, tree.MapOf, tree.Unary, tree.Binary, tree.Compare, tree.IsNull,
         tree.HasLabels, tree.Case),
        _inside,
    ),
}  # fmt: skip
