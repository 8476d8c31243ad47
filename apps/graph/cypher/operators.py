"""How tightly operators bind, and the tree that a chain of operands and operators means.

Loosest to tightest: OR, XOR, AND, NOT, comparisons (chained ones are one record), IN and the tests of text and null,
``+ -``, ``* / %``, ``^``, signs. Binary operators of one level group from the left.
"""

from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.errors import Fault
from apps.graph.cypher.lexer import Token

OR, XOR, AND, NOT, COMPARISON, TEST, SUM, PRODUCT, POWER, SIGN = range(1, 11)
LEVELS: dict[str, int] = {
    "OR": OR,
    "XOR": XOR,
    "AND": AND,
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), COMPARISON),
    **dict.fromkeys(("IN", "STARTS WITH", "ENDS WITH", "CONTAINS", "=~"), TEST),
    **dict.fromkeys(("+", "-"), SUM),
    **dict.fromkeys(("*", "/", "%"), PRODUCT),
    "^": POWER,
}


class NullTest:
    """``IS NULL`` or ``IS NOT NULL`` in a chain: an operator that stands after its operand."""

    __slots__ = ("negated",)

    def __init__(self, negated: bool) -> None:
        self.negated = negated


def resolved(chain: list[Any]) -> tree.Expr:
    """The tree of ``chain``: operands are records, operators are tokens and NullTests. No recursion."""
    operands: list[Any] = []
    waiting: list[tuple[int, str, Token]] = []
    operand_is_next = True
    for item in chain:
        if isinstance(item, Token):
            if operand_is_next:
                word = "NOT" if item.type == "NOT" else item.value
                level = NOT if item.type == "NOT" else SIGN
                if waiting and waiting[-1][0] > level:
                    raise Fault("Put NOT and what it negates in parentheses here.", item.at)
                waiting.append((level, "prefix " + word, item))
                continue
            word = item.value.upper() + " WITH" if item.type == "AFFIX" else item.value.upper()
            level = LEVELS[word]
            _apply(operands, waiting, level + 1 if level == COMPARISON else level)
            waiting.append((level, word, item))
            operand_is_next = True
        elif isinstance(item, NullTest):
            _apply(operands, waiting, TEST)
            operands[-1] = tree.IsNull(operands[-1], item.negated)
        else:
            operands.append(item)
            operand_is_next = False
    _apply(operands, waiting, 0)
    return operands[0]


def _apply(operands: list[Any], waiting: list[tuple[int, str, Token]], level: int) -> None:
    """Apply the operators that bind at least as tightly as ``level``."""
    while waiting and waiting[-1][0] >= level:
        at_level, word, _ = waiting.pop()
        if word.startswith("prefix "):
            operands[-1] = tree.Unary(word[7:], operands[-1])  # type: ignore[arg-type]
        elif at_level == COMPARISON:
            _compare(operands, waiting, word)
        else:
            right = operands.pop()
            operands[-1] = tree.Binary(word, operands[-1], right)  # type: ignore[arg-type]


def _compare(operands: list[Any], waiting: list[tuple[int, str, Token]], last: str) -> None:
    """One record for all the comparisons in a row, which wait until the row has ended."""
    words = [last]
    while waiting and waiting[-1][0] == COMPARISON:
        words.append(waiting.pop()[1])
    count = len(words) + 1
    members = tuple(operands[-count:])
    del operands[-count:]
    operands.append(tree.Compare(members, tuple(reversed(words))))  # type: ignore[arg-type]
