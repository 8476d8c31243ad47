"""What each rule of grammar.lark means: from children to records. lark calls these while it parses.

A method is named like its rule or the alias of an alternative and gets the list of children, punctuation left out, None
for each optional part that is absent.
"""

from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.errors import Fault
from apps.graph.cypher.lexer import MAX_INTEGER, Token
from apps.graph.cypher.operators import NullTest, resolved
from apps.graph.cypher.patterns import PatternRules

Children = list[Any]
_WITH_A_VARIABLE = {
    **{word: f"{word}(x IN list WHERE condition)" for word in ("all", "any", "none", "single")},
    "reduce": "reduce(total = start, x IN list | step)",
}


def _tuple(items: list[Any] | None) -> tuple[Any, ...]:
    return tuple(items) if items else ()


def _word(token: Token | None) -> str | None:
    return None if token is None else token.value


class ListRules:
    """Lists grow in place: the parser never goes back."""

    @staticmethod
    def one(children: Children) -> list[Any]:
        return children

    @staticmethod
    def more(children: Children) -> list[Any]:
        items: list[Any] = children[0]
        items.append(children[1])
        return items

    @staticmethod
    def single(children: Children) -> Any:
        return children[0]


class ClauseRules:
    """Clauses and how they follow each other."""

    @staticmethod
    def run(children: Children) -> tree.Statement:
        return tree.Statement(_query(children[0]))

    @staticmethod
    def asked(children: Children) -> tree.Statement:
        return tree.Statement(_query(children[1]), "explain" if children[0].type == "EXPLAIN" else "profile")

    @staticmethod
    def union(children: Children) -> list[Any]:
        branches, clauses = children
        if isinstance(branches[-1], tree.Branch) and branches[-1].keeps_duplicates:
            raise Fault("UNION and UNION ALL cannot be mixed in one query.")
        branches.append(tree.Branch(tuple(clauses)))
        return branches

    @staticmethod
    def union_all(children: Children) -> list[Any]:
        branches, clauses = children
        if isinstance(branches[-1], tree.Branch) and not branches[-1].keeps_duplicates:
            raise Fault("UNION and UNION ALL cannot be mixed in one query.")
        branches.append(tree.Branch(tuple(clauses), True))
        return branches

    @staticmethod
    def match(children: Children) -> tree.Match:
        return tree.Match(tuple(children[0]), children[1])

    @staticmethod
    def optional_match(children: Children) -> tree.Match:
        return tree.Match(tuple(children[0]), children[1], True)

    @staticmethod
    def unwind(children: Children) -> tree.Unwind:
        return tree.Unwind(children[0], children[1].value)

    @staticmethod
    def with_clause(children: Children) -> tree.With:
        projection, where = children
        for column in projection.columns:
            if column.alias is None and not isinstance(column.expression, tree.Var):
                raise Fault("In WITH, what is not a variable needs a name: expression AS name.")
        return tree.With(projection, where)

    @staticmethod
    def return_clause(children: Children) -> tree.Return:
        return tree.Return(children[0])

    @staticmethod
    def subquery(children: Children) -> tree.Subquery:
        return tree.Subquery(_query(children[0]))

    @staticmethod
    def scoped_subquery(children: Children) -> tree.Subquery:
        names, branches = children
        if not names:
            return tree.Subquery(_query(branches))
        leading = tree.With(tree.Projection(tuple(tree.Column(tree.Var(name.value)) for name in names)))
        query = _query(branches)
        return tree.Subquery(
            tree.Query(tuple(tree.Branch((leading, *one.clauses), one.keeps_duplicates) for one in query.branches))
        )

    @staticmethod
    def projection(children: Children) -> tree.Projection:
        distinct, columns, order, skip, limit = children
        everything = isinstance(columns[0], Token)
        return tree.Projection(
            tuple(columns[1:] if everything else columns), everything, distinct is not None, _tuple(order), skip, limit
        )

    @staticmethod
    def column(children: Children) -> tree.Column:
        return tree.Column(children[0], children[1].value if len(children) == 2 else None)

    @staticmethod
    def ascending(children: Children) -> tree.Order:
        return tree.Order(children[0])

    @staticmethod
    def descending(children: Children) -> tree.Order:
        return tree.Order(children[0], True)


class ExpressionRules:
    """Operands; their chains are given a shape by operators.py."""

    resolved = staticmethod(lambda children: resolved(children[0]))
    is_null = staticmethod(lambda children: _null_test(children[0], children[2], False))
    is_not_null = staticmethod(lambda children: _null_test(children[0], children[3], True))
    variable = staticmethod(lambda children: tree.Var(children[0].value))
    parameter = staticmethod(lambda children: tree.Param(children[0].value))
    text = staticmethod(lambda children: tree.Const(children[0].value))
    property_of = staticmethod(lambda children: tree.Prop(children[0], children[1].value))
    index_of = staticmethod(lambda children: tree.Index(*children))
    slice_of = staticmethod(lambda children: tree.Slice(*children))
    list_of = staticmethod(lambda children: tree.ListOf(_tuple(children[0])))

    @staticmethod
    def signed(children: Children) -> list[Any]:
        chain, number = children
        if chain[-1].type == "ADD" and chain[-1].value == "-" and (len(chain) == 1 or isinstance(chain[-2], Token)):
            chain[-1] = tree.Const(-number.value)
        elif number.value == MAX_INTEGER and isinstance(number.value, int):
            raise Fault("The number does not fit into 64 bits.")
        else:
            chain.append(number)
        return chain

    @staticmethod
    def number(children: Children) -> tree.Const:
        return tree.Const(children[0].value)

    @staticmethod
    def literal(children: Children) -> tree.Const:
        return tree.Const({"TRUE": True, "FALSE": False, "NULL": None}[children[0].value.upper()])

    @staticmethod
    def has_labels(children: Children) -> tree.HasLabels:
        return tree.HasLabels(children[0], (children[1].value,))

    @staticmethod
    def has_more_labels(children: Children) -> tree.HasLabels:
        return tree.HasLabels(children[0].of, (*children[0].labels, children[1].value))

    @staticmethod
    def map_of(children: Children) -> tree.MapOf:
        entries = _tuple(children[0])
        if len({key for key, _ in entries}) != len(entries):
            raise Fault("A key stands twice in this map.")
        return tree.MapOf(entries)

    @staticmethod
    def entry(children: Children) -> tuple[str, tree.Expr]:
        return children[0].value, children[1]

    @staticmethod
    def map_projection(children: Children) -> tree.MapProjection:
        return tree.MapProjection(children[0].value, _tuple(children[1]))

    item_property = staticmethod(lambda children: tree.ProjectionItem("property", children[0].value))
    item_all = staticmethod(lambda children: tree.ProjectionItem("all"))
    item_variable = staticmethod(lambda children: tree.ProjectionItem("variable", children[0].value))
    item_entry = staticmethod(lambda children: tree.ProjectionItem("entry", children[0].value, children[1]))

    @staticmethod
    def call_empty(children: Children) -> tree.Expr:
        return _call(children[0], (), False)

    @staticmethod
    def call(children: Children) -> tree.Expr:
        return _call(children[0], tuple(children[2]), children[1] is not None)

    @staticmethod
    def call_star(children: Children) -> tree.Expr:
        if children[0].value.lower() != "count":
            raise Fault("Only count(*) takes a star.", children[0].at)
        return tree.CountAll()

    @staticmethod
    def quantifier(children: Children) -> tree.Quantifier:
        kind, name, _, source, where = children
        return tree.Quantifier(kind.value.lower(), name.value, source, where)

    @staticmethod
    def reduce_of(children: Children) -> tree.Reduce:
        _, total, _, start, name, _, source, step = children
        return tree.Reduce(total.value, start, name.value, source, step)

    @staticmethod
    def case(children: Children) -> tree.Case:
        subject, branches, otherwise = children
        return tree.Case(subject, tuple(branches), otherwise)

    @staticmethod
    def when(children: Children) -> tuple[tree.Expr, tree.Expr]:
        return children[0], children[1]

    @staticmethod
    def list_comprehension(children: Children) -> tree.ListComprehension:
        name, _, source, where, result = children
        return tree.ListComprehension(name.value, source, where, result)


class PatternExpressionRules:
    """Patterns and queries inside expressions."""

    @staticmethod
    def pattern_comprehension(children: Children) -> tree.PatternComprehension:
        name, _, steps, where, result = children
        return tree.PatternComprehension(_path(steps, _word(name)), where, result)

    @staticmethod
    def pattern_predicate(children: Children) -> tree.PatternPredicate:
        return tree.PatternPredicate(_path(children[0]))

    @staticmethod
    def exists_pattern(children: Children) -> tree.Exists:
        match = tree.Match(tuple(children[0]), children[1])
        return tree.Exists(tree.Query((tree.Branch((match,)),)))

    @staticmethod
    def exists_query(children: Children) -> tree.Exists:
        return tree.Exists(_query(children[0]))


class Rules(ListRules, ClauseRules, PatternRules, ExpressionRules, PatternExpressionRules):
    """All rules of grammar.lark."""


def _query(branches: list[Any]) -> tree.Query:
    """``branches``: the first as a list of clauses, the others as records."""
    return tree.Query((tree.Branch(tuple(branches[0])), *branches[1:]))


def _path(steps: list[Any], name: str | None = None) -> tree.Path:
    return tree.Path(tuple(steps[::2]), tuple(steps[1::2]), name)


def _null_test(chain: list[Any], literal: Token, negated: bool) -> list[Any]:
    if literal.value.upper() != "NULL":
        raise Fault("IS is followed by NULL or NOT NULL.", literal.at)
    chain.append(NullTest(negated))
    return chain


def _call(function: Token, arguments: tuple[tree.Expr, ...], distinct: bool) -> tree.Expr:
    name = function.value
    if name.lower() == "exists":
        if len(arguments) == 1 and not distinct:
            (argument,) = arguments
            if isinstance(argument, tree.PatternPredicate):
                return argument
            if isinstance(argument, tree.Prop):
                return tree.IsNull(argument, True)
        raise Fault("exists( ) takes one pattern or one property: exists((a)-->(b)), exists(n.name).", function.at)
    if name.lower() in _WITH_A_VARIABLE:
        raise Fault(f"The function {name}( ) is written {_WITH_A_VARIABLE[name.lower()]}.", function.at)
    if name.lower() in ("size", "length") and any(isinstance(one, tree.PatternPredicate) for one in arguments):
        raise Fault(
            f"The function {name}( ) does not take a pattern: use OPTIONAL MATCH and count(x), or EXISTS {{ }}.",
            function.at,
        )
    if not name.isascii():
        raise Fault(f"There is no function {name}( ).", function.at)
    return tree.Call(name, arguments, distinct)
