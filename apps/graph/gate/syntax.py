"""Layer 1: the text is a query that reads, of bounded size, and every name in it is known."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse
from apps.graph.cypher.walk import walk
from apps.graph.gate import parameters, scope
from apps.graph.gate.draft import HIDDEN, Draft
from apps.graph.gate.names import did_you_mean
from apps.graph.gate.verdict import GateRefusal


def parsed(draft: Draft) -> tuple[Draft, str]:
    """The tree. What does not parse is refused, so whatever a server understands besides is no concern of ours."""
    check_size(draft)
    parameters.check(draft.parameters, draft.limits)
    try:
        statement = parse(draft.text)
    except CypherSyntaxError as error:
        raise refusal(error) from error
    query, columns = scope.resolve(statement.query, {}, "top")
    records = tuple(walk(query))
    check_given(records, draft)
    statement = replace(statement, query=query)
    draft = replace(draft, statement=statement, columns=tuple(columns), records=records)
    return draft, f"Columns: {', '.join(columns)}."


def check_size(draft: Draft) -> None:
    """GateRefusal for a text beyond the limit."""
    most = draft.limits.text_bytes
    if len(draft.text) > most or len(draft.text.encode("utf-8", "replace")) > most:
        raise GateRefusal("syntax", f"The query is longer than {most} bytes.", "Pass long values as parameters.")


def check_given(records: Iterable[Any], draft: Draft) -> None:
    """GateRefusal for a parameter without a value."""
    for part in records:
        if isinstance(part, tree.Param) and part.name not in draft.parameters and not part.name.startswith(HIDDEN):
            raise GateRefusal(
                "syntax",
                f"The parameter ${part.name} has no value.",
                did_you_mean(part.name, draft.parameters) or "Send a value with the query.",
            )


def refusal(error: CypherSyntaxError) -> GateRefusal:
    """The parser's words as the gate's."""
    return GateRefusal("syntax", error.detail, position=(error.line, error.column))
