"""Random syntax trees, of every kind of record, as a text could have made them."""

from typing import Any

from hypothesis import strategies as st

from apps.graph.cypher import tree

_WORDS = [
    "n", "u", "task_id", "User", "Task", "RUNS", "x1", "_a", "match", "END", "count", "exists", "all", "in", "order",
    "reduce", "shortestPath", "null", "a b", "back`tick", "città", "名", "DELETE", "collect", "1st", "it's",
    '"q"', "-[",
]  # fmt: skip
names = st.sampled_from(_WORDS)
functions = st.sampled_from(["count", "toLower", "coalesce", "size", "nodes", "collect", "left", "f_1"])
texts = st.text(
    st.one_of(
        st.sampled_from("'\"\\`u0041/*;\n\t\r$"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
    ),
    max_size=12,
)
constants = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none(), texts
).map(tree.Const)
_SHORT: dict[str, Any] = {"max_size": 2}
LITTLE = st.one_of(constants, names.map(tree.Var), st.sampled_from(["p", "name_2"]).map(tree.Param))


def tuples(of: st.SearchStrategy[Any], least: int = 0, most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, min_size=least, max_size=most).map(tuple)


def maybe(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), of)


def maps(of: st.SearchStrategy[Any]) -> st.SearchStrategy[tree.MapOf]:
    return st.dictionaries(names, of, max_size=2).map(lambda entries: tree.MapOf(tuple(entries.items())))


def paths(of: st.SearchStrategy[Any], least: int = 0, *, free: bool = True) -> st.SearchStrategy[tree.Path]:
    """``free``: a path of MATCH, which may have a name and be shortest; with ``least`` relationships or more."""
    labels = tuples(names, 0, 2)
    nodes = st.builds(tree.Node, maybe(names), labels, st.booleans(), maybe(maps(of))).map(
        lambda node: tree.Node(node.variable, node.labels, node.any_label and len(node.labels) > 1, node.properties)
    )
    hops = st.builds(tree.Hops, maybe(st.integers(0, 3)), maybe(st.integers(0, 9)))
    rels = st.builds(
        tree.Rel, st.sampled_from(["out", "in", "both"]), maybe(names), tuples(names), maybe(hops), maybe(maps(of))
    )

    @st.composite
    def path(draw: st.DrawFn) -> tree.Path:
        shortest = draw(st.sampled_from([None, None, "one", "all"])) if free else None
        steps = 1 if shortest else draw(st.integers(least, 2))
        return tree.Path(
            tuple(draw(nodes) for _ in range(steps + 1)),
            tuple(draw(rels) for _ in range(steps)),
            draw(maybe(names)) if free else None,
            shortest,
        )

    return path()


def projections(of: st.SearchStrategy[Any], *, named: bool) -> st.SearchStrategy[tree.Projection]:
    column = st.builds(tree.Column, of, names if named else maybe(names))
    columns = st.one_of(column, names.map(lambda name: tree.Column(tree.Var(name))))
    order = tuples(st.builds(tree.Order, of, st.booleans()))

    @st.composite
    def projection(draw: st.DrawFn) -> tree.Projection:
        everything = draw(st.booleans())
        return tree.Projection(
            draw(tuples(columns, 0 if everything else 1)), everything, draw(st.booleans()), draw(order),
            draw(maybe(of)), draw(maybe(of)),
        )  # fmt: skip

    return projection()


def clauses(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    match = st.builds(tree.Match, tuples(paths(of), 1), maybe(of), st.booleans())
    return st.one_of(
        match,
        match,
        st.builds(tree.Unwind, of, names),
        st.builds(tree.With, projections(of, named=True), maybe(of)),
    )


def queries(
    of: st.SearchStrategy[Any], *, returns: bool = True, inner: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[tree.Query]:
    """``returns``: every branch ends with RETURN. ``inner``: queries for CALL { }."""
    clause = clauses(of)
    if inner is not None:
        clause = st.one_of(clause, inner.map(tree.Subquery))
    last = projections(of, named=False).map(tree.Return)

    @st.composite
    def query(draw: st.DrawFn) -> tree.Query:
        keeps = draw(st.booleans())
        branches = []
        for number in range(draw(st.integers(1, 2))):
            if returns or draw(st.booleans()):
                inside = (*draw(tuples(clause)), draw(last))
            else:
                inside = draw(tuples(clause, 1))
            branches.append(tree.Branch(inside, keeps and number > 0))
        return tree.Query(tuple(branches))

    return query()


def larger(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Expressions made of smaller ones: one strategy for each kind of record."""
    operators = ["OR", "XOR", "AND", "+", "-", "*", "/", "%", "^", "IN", "STARTS WITH", "ENDS WITH", "CONTAINS", "=~"]
    comparisons = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
    tied = paths(of, 1, free=False)
    items = st.one_of(
        names.map(lambda key: tree.ProjectionItem("property", key)),
        st.just(tree.ProjectionItem("all")),
        names.map(lambda key: tree.ProjectionItem("variable", key)),
        st.builds(tree.ProjectionItem, st.just("entry"), names, of),
    )

    @st.composite
    def compare(draw: st.DrawFn) -> tree.Compare:
        count = draw(st.integers(2, 3))
        return tree.Compare(tuple(draw(of) for _ in range(count)), tuple(draw(comparisons) for _ in range(count - 1)))  # type: ignore[arg-type]

    @st.composite
    def call(draw: st.DrawFn) -> tree.Call:
        arguments = draw(tuples(of))
        return tree.Call(draw(functions), arguments, bool(arguments) and draw(st.booleans()))

    return st.one_of(
        st.builds(tree.Binary, st.sampled_from(operators), of, of),
        st.builds(tree.Binary, st.sampled_from(operators), of, of),
        st.builds(tree.Unary, st.sampled_from(["NOT", "-", "+"]), of),
        compare(),
        st.builds(tree.IsNull, of, st.booleans()),
        st.builds(tree.HasLabels, of, tuples(names, 1)),
        st.builds(tree.Prop, of, names),
        st.builds(tree.Index, of, of),
        st.builds(tree.Slice, of, maybe(of), maybe(of)),
        tuples(of).map(tree.ListOf),
        maps(of),
        st.builds(tree.MapProjection, names, tuples(items)),
        call().filter(lambda it: it.name != "size" or not any(type(a) is tree.PatternPredicate for a in it.arguments)),
        st.just(tree.CountAll()),
        st.builds(tree.Case, maybe(of), tuples(st.tuples(of, of), 1), maybe(of)),
        st.builds(tree.ListComprehension, names, of, maybe(of), maybe(of)),
        st.builds(tree.PatternComprehension, paths(of, 1, free=False), maybe(of), of),
        st.builds(tree.Quantifier, st.sampled_from(["all", "any", "none", "single"]), names, of, of),
        st.builds(tree.Reduce, names, of, names, of, of),
        tied.map(tree.PatternPredicate),
        queries(of, returns=False).map(tree.Exists),
    )


expressions = st.recursive(LITTLE, larger, max_leaves=12)
statements = st.builds(
    tree.Statement,
    queries(expressions, inner=queries(expressions)),
    st.sampled_from(["run", "explain", "profile"]),
)
