"""Sums, by a small parser of their own: nothing is evaluated as code, and numbers stay small."""

import re
from fractions import Fraction

MAX_CHARS = 400
MAX_DEPTH = 32
MAX_DIGITS = 60  # of a number on the way
MAX_EXPONENT = 64
_SPELLED = (
    (re.compile(r"\b(?:to the power of|elevato a(?:lla)?)\b", re.I), "**"),
    (re.compile(r"\b(?:plus|più|piu)\b", re.I), "+"),
    (re.compile(r"\b(?:minus|meno)\b", re.I), "-"),
    (re.compile(r"\b(?:multiplied by|times|moltiplicato per|per)\b", re.I), "*"),
    (re.compile(r"\b(?:divided by|over|diviso(?: per)?)\b", re.I), "/"),
)
_SYMBOLS = str.maketrans({"×": "*", "÷": "/", "−": "-", "·": "*"})
_TOKEN = re.compile(r"\s*(?:(\d{1,60}(?:\.\d{1,30})?)|(\*\*|[-+*/^()%]))")
_RUN = re.compile(r"[-+(]*\s*\d[\d\s.+*/()^%-]{0,380}")
_SUM_LIKE = re.compile(r"\d\)*\s*(?:\*\*|[-+*/^%])\s*[-+(]*\s*\d")
_DATE_LIKE = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}/\d{1,2}/\d{2,4}")


class NoSum(Exception):
    """Why it cannot be worked out, for the person."""


def find_sum(text: str) -> str | None:
    """The first stretch of the text that is a sum, in symbols."""
    text = text[:MAX_CHARS].translate(_SYMBOLS)
    for pattern, symbol in _SPELLED:
        text = pattern.sub(symbol, text)
    for run in _RUN.findall(text):
        candidate = run.strip().rstrip(".=-+*/^(% ")
        candidate += ")" * (candidate.count("(") - candidate.count(")"))
        if _SUM_LIKE.search(candidate) and not _DATE_LIKE.search(candidate):
            return str(candidate)
    return None


def work_out(expression: str) -> str:
    """``2 + 3 * 4`` gives ``14``; NoSum when it is no sum or too large."""
    tokens: list[str] = []
    position = 0
    expression = expression[:MAX_CHARS].strip()
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise NoSum(f"I do not understand {expression[position : position + 10]!r} in a sum.")
        tokens.append(match.group(1) or match.group(2))
        position = match.end()
    parser = _Parser(tokens)
    value = parser.sum(0)
    if parser.tokens:
        raise NoSum(f"I do not understand the sum after {parser.tokens[-1]!r}.")
    return shown(value)


def shown(value: Fraction) -> str:
    """Whole numbers as such, others with up to ten digits."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.10g}"


class _Parser:
    """Recursive descent over tokens kept in reverse, so that the next is the last."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    def sum(self, depth: int) -> Fraction:
        value = self._product(depth)
        while self.tokens and self.tokens[-1] in "+-":
            sign = 1 if self.tokens.pop() == "+" else -1
            value = _bounded(value + sign * self._product(depth))
        return value

    def _product(self, depth: int) -> Fraction:
        value = self._signed(depth)
        while self.tokens and self.tokens[-1] in ("*", "/", "%"):
            operator = self.tokens.pop()
            right = self._signed(depth)
            if operator == "*":
                value = _bounded(value * right)
            elif right == 0:
                raise NoSum("Nothing can be divided by zero.")
            else:
                value = _bounded(value / right if operator == "/" else value % right)
        return value

    def _signed(self, depth: int) -> Fraction:
        if depth > MAX_DEPTH:
            raise NoSum("That sum is too deep.")
        if self.tokens and self.tokens[-1] in "+-":
            negative = self.tokens.pop() == "-"
            value = self._signed(depth + 1)
            return -value if negative else value
        return self._power(depth)

    def _power(self, depth: int) -> Fraction:
        base = self._atom(depth)
        if self.tokens and self.tokens[-1] in ("**", "^"):
            self.tokens.pop()
            exponent = self._signed(depth + 1)
            if exponent.denominator != 1 or abs(exponent) > MAX_EXPONENT:
                raise NoSum(f"I raise to whole powers of at most {MAX_EXPONENT}.")
            if base == 0 and exponent < 0:
                raise NoSum("Nothing can be divided by zero.")
            return _bounded(Fraction(base ** int(exponent)))
        return base

    def _atom(self, depth: int) -> Fraction:
        if not self.tokens:
            raise NoSum("The sum ends too early.")
        token = self.tokens.pop()
        if token == "(":
            value = self.sum(depth + 1)
            if not self.tokens or self.tokens.pop() != ")":
                raise NoSum("A parenthesis is not closed.")
            return value
        if not token[0].isdigit():
            raise NoSum(f"I did not expect {token!r} there.")
        return Fraction(token)


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_DIGITS * 3.4:
        raise NoSum("That number is too large for me.")
    return value
