"""Tells apart what looks alike until its bracket closes, and bounds how deep brackets nest.

``(a)`` is a node pattern when an arrow follows its ``)``, ``[`` opens a comprehension when ``name IN`` or a pattern
with ``|`` follows, and ``name(`` calls a function. One pass over the tokens, no recursion.
"""

from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.lexer import Token

MAX_DEPTH = 50
_CLOSES = {"_RPAR": "(", "_RBRACKET": "[", "_RBRACE": "{"}
_QUANTIFIERS = frozenset({"all", "any", "none", "single"})
_SHORTEST = frozenset({"shortestpath", "allshortestpaths"})
_NO_SUBQUERY = {
    "count": "COUNT { } is not available: use OPTIONAL MATCH and count(x).",
    "collect": "COLLECT { } is not available: use OPTIONAL MATCH and collect(x).",
}
_SPECIAL = frozenset({"_LPAR", "_RPAR", "_LBRACKET", "_RBRACKET", "_LBRACE", "_RBRACE", "_COMMA", "_BAR"})
_END = Token("$END", "", 0)


class _Open:
    """A bracket that is open: what it was read as, where, and what has been seen directly inside."""

    __slots__ = ("bar", "comma", "is_relationship", "position", "sign", "token")

    def __init__(self, token: Token, sign: str, position: int) -> None:
        self.token = token
        self.sign = sign
        self.position = position
        self.comma = self.bar = self.is_relationship = False


def paired(tokens: list[Token], text: str) -> list[Token]:
    """The tokens with brackets, calls and arrows named as the grammar knows them."""
    found: list[Token] = []
    stack: list[_Open] = []
    position, end = 0, len(tokens)
    while position < end:
        token = tokens[position]
        type_ = token.type
        position += 1
        if type_ not in _SPECIAL:
            found.append(token)
        elif type_ == "_COMMA" or type_ == "_BAR":
            found.append(token)
            if stack and type_ == "_COMMA":
                stack[-1].comma = True
            elif stack:
                stack[-1].bar = True
        elif type_ in _CLOSES:
            position = _close(tokens, position, found, stack, text)
        else:
            if len(stack) >= MAX_DEPTH:
                problem = f"Brackets nest deeper than {MAX_DEPTH}: make the query flatter."
                raise CypherSyntaxError(problem, text, token.at)
            _open(tokens, position, found, stack, text)
    if stack:
        opened = stack[-1]
        raise CypherSyntaxError(f"This {opened.sign} is not closed.", text, opened.token.at, found=opened.sign)
    return found


def _open(tokens: list[Token], position: int, found: list[Token], stack: list[_Open], text: str) -> None:
    """At the bracket before ``position``: it may belong to the word before it."""
    token = tokens[position - 1]
    before = found[-1] if found else _END
    word = before.value.lower() if before.type in ("NAME", "_ALL") and text[before.at] != "`" else ""
    if token.type == "_LPAR" and word:
        ahead = tokens[position + 1].type if position + 1 < len(tokens) else ""
        before.type = _function(word, ahead)
        token = before
        sign = "("
    elif token.type == "_LBRACE":
        sign = "{"
        if word == "exists":
            before.type = "_EXISTS"
        elif word in _NO_SUBQUERY and len(found) > 1 and found[-2].type not in ("_COLON", "_BAR"):
            raise CypherSyntaxError(_NO_SUBQUERY[word], text, before.at)
        else:
            if before.type in ("_CALL", "_RPAR"):
                token.type = "_QUERY_OPEN"
            found.append(token)
    else:
        sign = token.value
        found.append(token)
    stack.append(_Open(token, sign, len(found)))


def _close(tokens: list[Token], position: int, found: list[Token], stack: list[_Open], text: str) -> int:
    """At the bracket before ``position``: what its partner was is known now. Returns where to go on."""
    token = tokens[position - 1]
    sign = _CLOSES[token.type]
    if not stack or stack[-1].sign != sign:
        raise CypherSyntaxError(f"This {token.value} closes nothing.", text, token.at, found=token.value)
    opened = stack.pop()
    found.append(token)
    if opened.is_relationship:
        return _arrow_end(tokens, position, found, token, text)
    if sign == "[":
        _comprehension(found, opened)
    elif opened.token.type == "_LPAR":
        return _arrow(tokens, position, found, stack, opened)
    return position


def _function(word: str, ahead: str) -> str:
    """The terminal of ``word(`` before a token and then one of the type ``ahead``."""
    if ahead == "IN" and word in _QUANTIFIERS:
        return "QUANTIFIER"
    if ahead == "EQ" and word == "reduce":
        return "REDUCE"
    return "SHORTEST" if word in _SHORTEST else "FUNCTION"


def _arrow(tokens: list[Token], position: int, found: list[Token], stack: list[_Open], opened: _Open) -> int:
    """After a ``)``: when an arrow follows, add it and say that a node ended. Returns where to go on."""
    from_right = _is(tokens, position, "<")
    at = position + 1 if from_right else position
    if not _is(tokens, at, "-"):
        return position
    if _is(tokens, at + 1, "["):
        opened.token.type = "_NODE_OPEN"
        found.append(Token("ARROW_OPEN", from_right, tokens[position].at))
        inside = _Open(tokens[at + 1], "[", len(found))
        inside.is_relationship = True
        stack.append(inside)
        return at + 2
    if not _is(tokens, at + 1, "-"):
        return position
    to_right = _is(tokens, at + 2, ">")
    after = at + 3 if to_right else at + 2
    if not _is(tokens, after, "("):
        return position
    opened.token.type = "_NODE_OPEN"
    found.append(Token("ARROW", (from_right, to_right), tokens[position].at))
    return after


def _arrow_end(tokens: list[Token], position: int, found: list[Token], bracket: Token, text: str) -> int:
    """After the ``]`` of a relationship: its ``-`` or ``->`` becomes one token with it."""
    if not _is(tokens, position, "-"):
        raise CypherSyntaxError("A relationship ends with ]- or ]->.", text, bracket.at, found="]")
    to_right = _is(tokens, position + 1, ">")
    found[-1] = Token("ARROW_CLOSE", to_right, bracket.at)
    return position + 2 if to_right else position + 1


def _is(tokens: list[Token], position: int, sign: str) -> bool:
    """Whether this sign stands there (a text of one sign does not count)."""
    return position < len(tokens) and tokens[position].value == sign and tokens[position].type != "TEXT"


def _comprehension(found: list[Token], opened: _Open) -> None:
    """At a ``]``: name its ``[`` after what stood inside."""
    first = opened.position
    if not opened.comma and first + 1 < len(found) and found[first + 1].type == "IN":
        opened.token.type = "_LIST_OPEN"
    elif opened.bar:
        opened.token.type = "_PATTERN_OPEN"
