"""Stage 3: a query for a question that the catalogue does not know: by a model where there is one, else, and where the
model fails, by the grammar."""

from dataclasses import replace
from typing import Any

from apps.graph.nl2cypher.grammar.understanding import NotUnderstood, understand
from apps.graph.nl2cypher.prompting import cypher_prompt, repair_prompt
from apps.graph.nl2cypher.types import Candidate, ModelFailed, Ports, Prompt, Question, Refusal, Refused


def generate(question: Question, ports: Ports) -> Candidate:
    """The candidate. Refused where nobody can make one, or where the model's was refused by the gate twice."""
    if ports.complete is None:
        return by_grammar(question)
    try:
        return _by_model(question, ports)
    except ModelFailed as failed:
        candidate = by_grammar(question)
        return replace(candidate, degraded=f"The model did not answer ({failed}); rules read the question instead.")


def by_grammar(question: Question) -> Candidate:
    """The grammar's query. Refused with the words that mean nothing here, or with what the schema does not have."""
    found = understand(question.text)
    if isinstance(found, NotUnderstood):
        raise Refused(Refusal("generate", "", found.reason, found.hint, not_understood=found.words))
    return Candidate(found.cypher, found.parameters, "grammar", found.reading, found.counts)


def _by_model(question: Question, ports: Ports) -> Candidate:
    prompt = cypher_prompt(question)
    answered = _asked(prompt, ports)
    candidate = _candidate(answered)
    try:
        ports.inspect(candidate.cypher, candidate.parameters)
    except Refused as refused:
        told = f"{refused.refusal.reason} {refused.refusal.hint}".strip()
        candidate = _candidate(_asked(repair_prompt(prompt, answered, told), ports))
    return candidate


def _asked(prompt: Prompt, ports: Ports) -> dict[str, Any]:
    assert ports.complete is not None
    said = ports.complete(prompt)
    if not isinstance(said.data, dict):
        raise ModelFailed("its answer was no JSON object")
    return said.data


def _candidate(answered: dict[str, Any]) -> Candidate:
    cypher, why = str(answered.get("cypher", "")).strip(), str(answered.get("explanation", "")).strip()
    if not cypher:
        reason = why or "The model found no query for this question."
        raise Refused(Refusal("generate", "", reason, "Ask about what the schema holds."))
    return Candidate(cypher, dict(answered.get("parameters") or {}), "model", why.rstrip("."))
