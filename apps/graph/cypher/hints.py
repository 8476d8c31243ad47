"""Sentences for texts that do not parse: what was found, what would fit, and what to do."""

from lark import UnexpectedToken

from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.lexer import Token


def unexpected(error: UnexpectedToken, text: str, start: str) -> CypherSyntaxError:
    """The error for a token that cannot stand where it stands."""
    token = error.token
    at = token.at if isinstance(token, Token) else len(text.rstrip())
    found = str(token.value) if isinstance(token, Token) else "the end"
    expected = tuple(sorted(error.expected))
    return CypherSyntaxError(
        f"{found} cannot stand here; {', '.join(expected)} would fit.", text, at, found=found, expected=expected
    )
