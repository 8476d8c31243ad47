"""Layer 6: how many rows come back. The outermost LIMIT is lowered, or added; a UNION gets one around the whole."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import transform
from apps.graph.gate.draft import Draft
from apps.graph.gate.expressions import column_name
from apps.graph.gate.sizes import given
from apps.graph.gate.verdict import GateRefusal


def within_rows(draft: Draft) -> tuple[Draft, str]:
    """The same query with at most as many rows as the caller wants and the limits allow."""
    asked = draft.asked_rows
    if asked is not None and asked < 1:
        raise GateRefusal("rows", "At least one row must be asked for.", "Leave the number out for the default.")
    most = draft.limits.rows if asked is None else min(asked, draft.limits.rows)
    query = bounded(draft.query, draft.records, draft)
    if len(query.branches) > 1:
        query = _around(query, draft.columns, most)
        note = f"LIMIT {most} around the UNION."
    else:
        query, note = lowered(query, most)
    return replace(draft.with_query(query), row_limit=most), note


def bounded(query: Any, records: Iterable[Any], draft: Draft) -> Any:
    """The tree with every SKIP and LIMIT a number within bounds: parameters there are replaced by their values."""
    projections = [part for part in records if type(part) is tree.Projection and (part.skip or part.limit)]
    if not projections:
        return query

    def number(part: Any) -> Any:
        if not isinstance(part, tree.Projection) or not (part.skip or part.limit):
            return part
        return replace(
            part,
            skip=_number(part.skip, "SKIP", draft, draft.limits.skip),
            limit=_number(part.limit, "LIMIT", draft, None),
        )

    return transform(query, number)


def _number(written: tree.Expr | None, word: str, draft: Draft, most: int | None) -> tree.Const | None:
    if written is None:
        return None
    value = given(written, draft.parameters)
    if type(value) is not int or value < 0 or value >= 2**31:
        raise GateRefusal("rows", f"{word} takes a whole number from 0.", f"Write {word} 10, or a parameter.")
    if most is not None and value > most:
        raise GateRefusal("rows", f"{word} goes up to {most}.", "Narrow the query down with WHERE instead.")
    return tree.Const(value)


def lowered(query: tree.Query, most: int) -> tuple[tree.Query, str]:
    """A query without UNION, with its last LIMIT at most this."""
    branch = query.branches[0]
    last = branch.clauses[-1]
    assert isinstance(last, tree.Return)
    limit = last.projection.limit
    present = limit.value if isinstance(limit, tree.Const) else None
    if isinstance(present, int) and present <= most:
        return query, f"LIMIT {present} as written."
    ending = tree.Return(replace(last.projection, limit=tree.Const(most)))
    note = f"LIMIT {most} added." if present is None else f"LIMIT lowered from {present} to {most}."
    return tree.Query((replace(branch, clauses=(*branch.clauses[:-1], ending)),)), note


def _around(query: tree.Query, columns: tuple[str, ...], most: int) -> tree.Query:
    """``CALL { ... UNION ... } RETURN ... LIMIT``. Inside, columns get plain names: not every server finds others."""
    inner = {name: f"__column{number}" for number, name in enumerate(columns, 1)}
    branches = []
    for branch in query.branches:
        last = branch.clauses[-1]
        assert isinstance(last, tree.Return)
        named = tuple(replace(column, alias=inner[column_name(column)]) for column in last.projection.columns)
        order = tuple(replace(key, expression=_renamed(key.expression, inner)) for key in last.projection.order)
        ending = tree.Return(replace(last.projection, columns=named, order=order))
        branches.append(replace(branch, clauses=(*branch.clauses[:-1], ending)))
    outer = tuple(tree.Column(tree.Var(inner[name]), name) for name in columns)
    ending = tree.Return(tree.Projection(outer, limit=tree.Const(most)))
    return tree.Query((tree.Branch((tree.Subquery(tree.Query(tuple(branches))), ending)),))


def _renamed(expression: tree.Expr, names: dict[str, str]) -> tree.Expr:
    """Inside ORDER BY, a name of a column is the column's even where a variable is called the same."""

    def rename(part: Any) -> Any:
        return tree.Var(names[part.name]) if isinstance(part, tree.Var) and part.name in names else part

    renamed: tree.Expr = transform(expression, rename)
    return renamed
