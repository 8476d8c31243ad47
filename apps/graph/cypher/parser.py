"""Text to tree, or a CypherSyntaxError that says where and what to do. What does not parse is refused (SPEC 8, 3).

lark makes the tables once a process, from grammar.lark. A text costs one pass of the lexer, one over the brackets and
one through the tables. Nothing here recurses.
"""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, UnexpectedToken
from lark.lexer import Lexer

from apps.graph.cypher import changes, tree
from apps.graph.cypher.brackets import paired
from apps.graph.cypher.build import Rules
from apps.graph.cypher.build_changes import ChangeRules
from apps.graph.cypher.errors import CypherSyntaxError, Fault
from apps.graph.cypher.hints import unexpected
from apps.graph.cypher.lexer import CHANGE_KEYWORDS, KEYWORDS, Token, tokens
from apps.graph.cypher.walk import levels

MAX_LEVELS = 160
"""Records inside records: little enough for what recurses over a tree (comparing, hashing, printing)."""
_HERE = Path(__file__).parent
_loading = threading.Lock()


class _Source:
    """The tokens of one text, and which of them was read last."""

    __slots__ = ("last", "tokens")

    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.last: Token | None = None


class _Tokens(Lexer):
    """Gives lark the tokens of a _Source. A keyword that cannot stand where it stands is a name."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Any]:
        source: _Source = lexer_state.text
        states, stack = parser_state.parse_conf.states, parser_state.state_stack
        for token in source.tokens:
            if token.type in _WORDS and token.type not in states[stack[-1]]:
                token.type = "NAME"
            source.last = token
            yield token


_WORDS = frozenset(CHANGE_KEYWORDS.values())


@cache
def _load(start: str) -> Lark:
    grammar = (_HERE / "grammar.lark").read_text(encoding="utf-8")
    rules: Any = Rules()
    if start == "change":
        grammar += (_HERE / "change.lark").read_text(encoding="utf-8")
        rules = ChangeRules()
    return Lark(grammar, parser="lalr", lexer=_Tokens, start=start, transformer=rules, maybe_placeholders=True)


def _grammar(start: str) -> Lark:
    with _loading:
        return _load(start)


def _read(text: str, start: str, keywords: dict[str, str]) -> Any:
    source = _Source(paired(tokens(text, keywords), text))
    try:
        read = _grammar(start).parse(source)
    except UnexpectedToken as error:
        raise unexpected(error, source.tokens, text, reads=start == "statement") from None
    except Fault as fault:
        last = source.last
        at = fault.at if fault.at is not None else (last.at if last else 0)
        raise CypherSyntaxError(fault.problem, text, at) from None
    # Nothing is deeper than its text is long.
    if len(source.tokens) > MAX_LEVELS // 2 and levels(read) > MAX_LEVELS:
        raise CypherSyntaxError(f"The query nests deeper than {MAX_LEVELS} levels: use IN, or fewer terms in a row.")
    return read


def parse(text: str) -> tree.Statement:
    """The statement that ``text`` is; CypherSyntaxError when it is none that reads."""
    statement: tree.Statement = _read(text, "statement", KEYWORDS)
    return statement


def parse_change(text: str) -> changes.Change:
    """The change that ``text`` is; CypherSyntaxError when it is none. For the path of administrators only."""
    change: changes.Change = _read(text, "change", CHANGE_KEYWORDS)
    return change
