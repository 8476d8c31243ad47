"""What is refused before anything is looked up: wishes to change the data, and looks beyond the tenant (SPEC 7.1)."""

from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_statement
from apps.graph.cypher.walk import transform
from apps.graph.nl2cypher import intents
from apps.graph.nl2cypher.catalogue import look_up
from apps.graph.nl2cypher.generate import by_grammar
from apps.graph.nl2cypher.normalize import normalize
from apps.graph.nl2cypher.types import Candidate, Question, Refusal, Refused

_ONLY_READS = "Questions only read the graph; nothing was changed."


def admit(original: str) -> Question:
    """Stage 1 and its verdict: the normalized question, or Refused with what may be asked instead."""
    question = normalize(original)
    if question.destructive:
        alternative = _selecting(question)
        hint = "This is the query that would find what you mean: look at it with EXPLAIN." if alternative else ""
        hint += " Changes go through an administrator and POST /v1/graph/changes, with a confirmation."
        raise Refused(Refusal("normalize", "read-only", _ONLY_READS, hint.strip(), alternative))
    if intents.asks_elsewhere(question.text):
        reason = "Every question is about your own tenant's graph; others cannot be asked about."
        raise Refused(Refusal("normalize", "tenant", reason, "Leave tenants out of the question."))
    return question


def _selecting(question: Question) -> str:
    """EXPLAIN and the query that finds what was to be changed; the empty text when it is not understood."""
    try:
        asked = normalize(question.destructive)
        candidate = look_up(asked) or by_grammar(asked)
    except Refused:
        return ""
    return f"EXPLAIN {inlined(candidate)}"


def inlined(candidate: Candidate) -> str:
    """The query with its values in the text, for a person to copy."""

    def put(part: object) -> object:
        if not isinstance(part, tree.Param):
            return part
        value = candidate.parameters[part.name]
        if isinstance(value, list):
            return tree.ListOf(tuple(tree.Const(one) for one in value))
        return tree.Const(value)

    return print_statement(transform(parse(candidate.cypher).query, put))
