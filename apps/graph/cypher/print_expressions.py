"""Expressions as text: parentheses where the grammar needs them, and where engines are known to group differently.

The tests IN, STARTS WITH, =~ and IS NULL bind tighter than ``+`` in older grammars and looser in newer ones; ``^`` and
signs differ, too. What stands next to these is therefore always in parentheses unless it is one word or call.
"""

from collections.abc import Callable
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.operators import COMPARISON, LEVELS, NOT, SIGN, SUM, TEST
from apps.graph.cypher.print_patterns import PatternPrinter
from apps.graph.cypher.spelling import constant_text, function_text, name_before_brace, name_text, parameter_text

LABELS, ATOM = SIGN + 1, SIGN + 2
_BASES = (tree.Var, tree.Param, tree.Prop, tree.Index, tree.Slice, tree.Call, tree.ListOf)
_SIGNED = (tree.Var, tree.Param, tree.Prop, tree.Index, tree.Slice, tree.Call)


def level(expression: tree.Expr) -> int:
    """How tightly the outermost operator of ``expression`` binds; ATOM without one."""
    kind = type(expression)
    if kind is tree.Binary:
        return LEVELS[expression.operator]  # type: ignore[union-attr]
    if kind is tree.Compare:
        return COMPARISON
    if kind is tree.IsNull:
        return TEST
    if kind is tree.Unary:
        return NOT if expression.operator == "NOT" else SIGN  # type: ignore[union-attr]
    if kind is tree.HasLabels:
        return LABELS
    if kind is tree.Const:
        value = expression.value  # type: ignore[union-attr]
        return SIGN if isinstance(value, int | float) and str(value)[0] == "-" else ATOM
    return ATOM


class ExpressionPrinter(PatternPrinter):
    """One method a kind of expression, found by its class."""

    def query(self, query: tree.Query) -> str:
        raise NotImplementedError

    def expression(self, expression: tree.Expr) -> str:
        return _PRINTERS[type(expression)](self, expression)

    def within(self, expression: tree.Expr, least: int) -> str:
        """In parentheses when it binds looser than ``least``."""
        text = self.expression(expression)
        return text if level(expression) >= least else f"({text})"

    def base(self, expression: tree.Expr) -> str:
        """What a dot, a bracket or a label stands behind."""
        text = self.expression(expression)
        return text if isinstance(expression, _BASES) else f"({text})"

    def first(self, expression: tree.Expr) -> str:
        """After a ``[``: ``x IN y`` would look like a comprehension there."""
        return self.within(expression, SUM)

    def binary(self, it: tree.Binary) -> str:
        own = LEVELS[it.operator]
        if own < COMPARISON:
            rights: list[str] = []
            left: tree.Expr = it
            while isinstance(left, tree.Binary) and left.operator == it.operator:
                rights.append(self.within(left.right, own + 1))
                left = left.left
            return f" {it.operator} ".join([self.within(left, own), *reversed(rights)])
        if own == TEST:
            return f"{self.within(it.left, ATOM)} {it.operator} {self.within(it.right, ATOM)}"
        if it.operator == "^":
            return f"{self.within(it.left, LABELS)} ^ {self.within(it.right, LABELS)}"
        right = self.within(it.right, own + 1 if level(it.right) != SIGN else LABELS)
        if it.operator == "-" and right[0] == "[":
            right = f"({right})"
        return f"{self.within(it.left, own)} {it.operator} {right}"

    def compare(self, it: tree.Compare) -> str:
        text = self.within(it.operands[0], COMPARISON + 1)
        for operator, operand in zip(it.operators, it.operands[1:], strict=True):
            text += f" {operator} {self.within(operand, COMPARISON + 1)}"
        return text

    def unary(self, it: tree.Unary) -> str:
        if it.operator == "NOT":
            return "NOT " + self.within(it.operand, NOT)
        text = self.expression(it.operand)
        return it.operator + (text if isinstance(it.operand, _SIGNED) else f"({text})")

    def is_null(self, it: tree.IsNull) -> str:
        return f"{self.within(it.operand, ATOM)} IS {'NOT ' if it.negated else ''}NULL"

    def has_labels(self, it: tree.HasLabels) -> str:
        if not it.labels:
            raise ValueError("a test for no label")
        return self.base(it.of) + "".join([":" + name_text(label) for label in it.labels])

    def slice(self, it: tree.Slice) -> str:
        start = "" if it.start is None else self.first(it.start)
        stop = "" if it.stop is None else self.expression(it.stop)
        return f"{self.base(it.of)}[{start}..{stop}]"

    def list_of(self, it: tree.ListOf) -> str:
        if not it.items:
            return "[]"
        return "[" + ", ".join([self.first(it.items[0]), *[self.expression(one) for one in it.items[1:]]]) + "]"

    def map_of(self, it: tree.MapOf) -> str:
        return "{" + ", ".join([f"{name_text(key)}: {self.expression(value)}" for key, value in it.entries]) + "}"

    def map_projection(self, it: tree.MapProjection) -> str:
        return f"{name_before_brace(it.of)} {{{', '.join([self._item(item) for item in it.items])}}}"

    def _item(self, item: tree.ProjectionItem) -> str:
        if item.kind == "all":
            return ".*"
        if item.kind == "property":
            return "." + name_text(item.key)
        if item.kind == "variable" or item.value is None:
            return name_text(item.key)
        return f"{name_text(item.key)}: {self.expression(item.value)}"

    def call(self, it: tree.Call) -> str:
        arguments = ", ".join([self.expression(argument) for argument in it.arguments])
        return f"{function_text(it.name)}({'DISTINCT ' if it.distinct else ''}{arguments})"

    def case(self, it: tree.Case) -> str:
        parts = ["CASE" if it.subject is None else "CASE " + self.expression(it.subject)]
        parts += [f"WHEN {self.expression(when)} THEN {self.expression(then)}" for when, then in it.branches]
        if it.otherwise is not None:
            parts.append("ELSE " + self.expression(it.otherwise))
        return " ".join([*parts, "END"])

    def list_comprehension(self, it: tree.ListComprehension) -> str:
        where = "" if it.where is None else " WHERE " + self.expression(it.where)
        result = "" if it.result is None else " | " + self.expression(it.result)
        return f"[{name_text(it.variable)} IN {self.expression(it.source)}{where}{result}]"

    def pattern_comprehension(self, it: tree.PatternComprehension) -> str:
        where = "" if it.where is None else " WHERE " + self.expression(it.where)
        return f"[{self._tied(it.pattern)}{where} | {self.expression(it.result)}]"

    def quantifier(self, it: tree.Quantifier) -> str:
        source, where = self.expression(it.source), self.expression(it.where)
        return f"{it.kind}({name_text(it.variable)} IN {source} WHERE {where})"

    def reduce(self, it: tree.Reduce) -> str:
        total, name = name_text(it.accumulator), name_text(it.variable)
        start, source, step = self.expression(it.start), self.expression(it.source), self.expression(it.step)
        return f"reduce({total} = {start}, {name} IN {source} | {step})"

    def pattern_predicate(self, it: tree.PatternPredicate) -> str:
        if it.pattern.variable is not None:
            raise ValueError("a predicate that names its path")
        return f"exists({self._tied(it.pattern)})"

    def exists(self, it: tree.Exists) -> str:
        return f"EXISTS {{ {self.query(it.query)} }}"

    def _tied(self, path: tree.Path) -> str:
        if not path.rels or path.shortest is not None:
            raise ValueError("a pattern in an expression without a relationship, or a shortest path")
        return self.path(path)


_PRINTERS: dict[type, Callable[[ExpressionPrinter, Any], str]] = {
    tree.Const: lambda self, it: constant_text(it.value),
    tree.Param: lambda self, it: parameter_text(it.name),
    tree.Var: lambda self, it: name_text(it.name),
    tree.Prop: lambda self, it: f"{self.base(it.of)}.{name_text(it.key)}",
    tree.Index: lambda self, it: f"{self.base(it.of)}[{self.first(it.at)}]",
    tree.CountAll: lambda self, it: "count(*)",
    tree.Slice: ExpressionPrinter.slice,
    tree.ListOf: ExpressionPrinter.list_of,
    tree.MapOf: ExpressionPrinter.map_of,
    tree.MapProjection: ExpressionPrinter.map_projection,
    tree.Call: ExpressionPrinter.call,
    tree.Unary: ExpressionPrinter.unary,
    tree.Binary: ExpressionPrinter.binary,
    tree.Compare: ExpressionPrinter.compare,
    tree.IsNull: ExpressionPrinter.is_null,
    tree.HasLabels: ExpressionPrinter.has_labels,
    tree.Case: ExpressionPrinter.case,
    tree.ListComprehension: ExpressionPrinter.list_comprehension,
    tree.PatternComprehension: ExpressionPrinter.pattern_comprehension,
    tree.Quantifier: ExpressionPrinter.quantifier,
    tree.Reduce: ExpressionPrinter.reduce,
    tree.PatternPredicate: ExpressionPrinter.pattern_predicate,
    tree.Exists: ExpressionPrinter.exists,
}
