"""Sentences for texts that do not parse: what was found, what would fit, and what to do instead."""

import re

from lark import UnexpectedToken

from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.lexer import Token

_SHOWN = {
    "NAME": "a name", "PARAM": "$parameter", "TEXT": "'text'", "NUMBER": "a number", "LITERAL": "true, false or null",
    "ADD": "+ or -", "STAR": "*", "EQ": "=", "OPERATOR": "a comparison or / % ^", "WORD_OPERATOR": "AND, OR, CONTAINS",
    "AFFIX": "STARTS WITH or ENDS WITH", "FUNCTION": "a function", "QUANTIFIER": "all(", "REDUCE": "reduce(",
    "SHORTEST": "shortestPath(", "ARROW": "-->", "ARROW_OPEN": "-[", "ARROW_CLOSE": "]->", "_NODE_OPEN": "(node)",
    "_EXISTS": "EXISTS {", "_LIST_OPEN": "[x IN list]", "_PATTERN_OPEN": "[pattern | result]", "_QUERY_OPEN": "{",
    "_LPAR": "(", "_RPAR": ")", "_LBRACKET": "[", "_RBRACKET": "]", "_LBRACE": "{", "_RBRACE": "}", "_COLON": ":",
    "_COMMA": ",", "_DOT": ".", "_DOTS": "..", "_BAR": "|", "_SEMICOLON": ";", "$END": "the end", "ADD_ASSIGN": "+=",
    "ASCENDING": "ASC", "DESCENDING": "DESC",
}  # fmt: skip
_EXPRESSION = frozenset({"TEXT", "NUMBER", "FUNCTION", "PARAM", "NAME"})
_EXPRESSION_STARTS = _EXPRESSION | {
    "LITERAL", "ADD", "NOT", "QUANTIFIER", "REDUCE", "_NODE_OPEN", "_EXISTS", "_LIST_OPEN", "_PATTERN_OPEN", "_LPAR",
    "_LBRACKET", "_LBRACE", "_CASE",
}  # fmt: skip
_OPERATORS = frozenset({"ADD", "STAR", "EQ", "OPERATOR", "WORD_OPERATOR", "AFFIX", "IN", "IS", "_DOT", "_LBRACKET"})
_AT_MOST = 8

_WRITES = frozenset({"CREATE", "MERGE", "SET", "REMOVE", "DELETE", "DETACH", "FOREACH", "DROP", "INSERT", "NODETACH"})
_INSTEAD = {
    "LOAD": "LOAD CSV reads files and addresses and is not available: import the data with the platform's import",
    "GROUP": "There is no GROUP BY: RETURN groups by every column that is not aggregated",
    "HAVING": "There is no HAVING: use WITH ... WHERE ... after the aggregation",
    "LIKE": "There is no LIKE: use CONTAINS, STARTS WITH, ENDS WITH or =~",
    "OFFSET": "Use SKIP in place of OFFSET",
    "USING": "Hints for the planner are not available: leave USING out",
    "YIELD": "YIELD belongs to procedures, which are not available",
    "SELECT": "This is SQL: a query begins with MATCH and ends with RETURN",
    "SHORTEST": "Write MATCH p = shortestPath((a)-[*..5]-(b))",
    "FILTER": "Write WITH * WHERE ... in place of FILTER",
    "LET": "Write WITH *, expression AS name in place of LET",
    "FINISH": "A query ends with RETURN",
}
_CALLS = frozenset({"FUNCTION", "QUANTIFIER", "REDUCE", "SHORTEST"})
_FOUND = re.compile(r"\w+|\.\.|[<>=+]=|<>|.", re.DOTALL)


def unexpected(error: UnexpectedToken, tokens: list[Token], text: str, *, reads: bool) -> CypherSyntaxError:
    """The error for a token that cannot stand where it stands. ``reads``: the text may only read."""
    if isinstance(error.token, Token):
        token, position = error.token, tokens.index(error.token)
        found = match[0] if (match := _FOUND.match(text, token.at)) else ""
    else:
        token, position, found = Token("$END", "", len(text.rstrip())), len(tokens), "the end"
    expected = frozenset(error.interactive_parser.accepts())
    shown = _fitting(expected)
    sentence = _instead(token, tokens[:position], expected, reads)
    if text.startswith("||", token.at):
        sentence = "Write OR in place of ||"
    if sentence is None:
        what = "The query ends too early" if token.type == "$END" else f"{found} cannot stand here"
        sentence = f"{what}; what would fit: {', '.join(shown)}"
    return CypherSyntaxError(sentence + ".", text, token.at, found=found, expected=shown)


def _instead(token: Token, before: list[Token], expected: frozenset[str], reads: bool) -> str | None:
    """What to do, for the mistakes and wishes that are known; None for others."""
    type_, previous = token.type, before[-1].type if before else ""
    word = str(token.value).upper() if type_ == "NAME" or type_ in _CALLS or type_[0] == "_" else ""
    if expected == {"$END"}:
        return "One statement at a time: nothing may follow the semicolon"
    if previous == "_CALL":
        return "CALL of procedures is not available: CALL { ... } takes a subquery, RETURN a function"
    if reads and word in _WRITES:
        return f"{word} writes, and this path only reads: leave it out, or propose the change to an administrator"
    if word in _INSTEAD and "NAME" not in expected:
        return _INSTEAD[word]
    if not before and (type_ == "$END" or word.isidentifier()):
        return _no_beginning(word, reads)
    if not reads and "_CREATE" in expected and word in ("", "RETURN"):
        return "A change writes something before it returns: CREATE, MERGE, SET, REMOVE or DELETE"
    if previous == "_DOT" and type_ in _CALLS:
        return f"Functions with a dot in their name, such as {_dotted(before)}{token.value}( ), are not available"
    if type_ == "SHORTEST":
        return "The function shortestPath( ) stands in MATCH only: MATCH p = shortestPath((a)-[*..5]-(b))"
    if type_ == "$END" and "_RETURN" in expected:
        return "The query ends without RETURN: say what to return"
    if type_ == "PARAM" and expected == {"NAME"}:
        return "Labels, relationship types, keys and names cannot be parameters: write them out"
    if type_ == "_RBRACE" and expected == {"_COLON"}:
        return "Parameters are written $name, maps {key: value}"
    return _in_pattern(token, word, before, expected) or _in_expression(type_, word, before, expected)


def _no_beginning(word: str, reads: bool) -> str:
    if reads:
        what, how = "query", "MATCH, OPTIONAL MATCH, UNWIND, WITH, CALL { or RETURN"
    else:
        what, how = "change", "MATCH, UNWIND, WITH, CREATE or MERGE"
    if not word:
        return f"There is no {what} here: one begins with {how}"
    begins = f"a {what} begins with {how}"
    return f"{word} is no beginning of a {what}: statements of administration are not available; {begins}"


def _in_pattern(token: Token, word: str, before: list[Token], expected: frozenset[str]) -> str | None:
    previous = before[-1].type if before else ""
    if {"_LBRACE", "_RPAR"} <= expected and "FUNCTION" not in expected:
        if word == "WHERE":
            return "Inside a node, conditions are written {key: value}; WHERE stands after the whole pattern"
        if token.type == "PARAM":
            return "Properties in a pattern are written out, one by one: {key: $value}"
        if token.type == "_NODE_OPEN":
            return "Patterns in parentheses are not available: repeat a relationship by -[:TYPE*1..3]->"
    if {"_LBRACE", "ARROW_CLOSE"} <= expected and previous == "STAR" and word:
        return "Searches such as *BFS are not available: use shortestPath((a)-[*..5]-(b))"
    if token.type in ("ADD", "STAR", "_LBRACE") and previous in ("ARROW", "ARROW_CLOSE"):
        return "Repeated relationships are written -[:TYPE*1..3]->"
    return None


def _in_expression(type_: str, word: str, before: list[Token], expected: frozenset[str]) -> str | None:
    types = [one.type for one in before[-2:]]
    if word == "NOT" and "IN" in expected:
        return "NOT stands before the whole condition: NOT x IN list"
    if types[-1:] == ["IS"]:
        return "What follows IS is NULL or NOT NULL"
    if type_ == "NOT":
        return "Put NOT and what it negates in parentheses here"
    if type_ == "EQ" and types[-1:] == ["EQ"]:
        return "Equality is written with one ="
    if type_ == "_BAR" and types == ["_COLON", "NAME"]:
        return "Alternative labels stand in patterns only; a condition is written n:A OR n:B"
    return None


def _dotted(before: list[Token]) -> str:
    names: list[str] = []
    while len(before) >= 2 and before[-1].type == "_DOT":
        names.insert(0, f"{before[-2].value}.")
        before = before[:-2]
    return "".join(names)


def _fitting(expected: frozenset[str]) -> tuple[str, ...]:
    """What would fit, in words; expressions and operators in one word each, at most eight words."""
    words: list[str] = []
    rest = expected
    if expected >= _EXPRESSION:
        words.append("an expression")
        rest = rest - _EXPRESSION_STARTS
    if len(rest & _OPERATORS) > 3:
        words.append("an operator")
        rest = rest - _OPERATORS - {"_COLON"}
    words += sorted(_SHOWN.get(one, one.lstrip("_")) for one in rest)
    return tuple(dict.fromkeys(words))[:_AT_MOST]
