"""Stage 6: rows become sentences. A count alone says itself; a model may tell a table, and is held to its numbers."""

import re
from dataclasses import dataclass
from typing import Any

from apps.graph.nl2cypher.execute import Outcome
from apps.graph.nl2cypher.prompting import SHOWN_ROWS, summary_prompt
from apps.graph.nl2cypher.sentences import bare_count, count_sentence, table_sentence
from apps.graph.nl2cypher.types import Candidate, ModelFailed, Ports, Question

MAX_SUMMARY_CHARS = 1_000
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_LINK = re.compile(r"https?://|www\.|\]\(|<[a-z!/]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Summary:
    """``notes``: what did not go as asked, for the person. ``by``: count, table, model or plan."""

    sentence: str
    by: str
    notes: tuple[str, ...] = ()


def summarize(question: Question, candidate: Candidate, outcome: Outcome, ports: Ports, *, wanted: bool) -> Summary:
    """The sentence for the outcome. ``wanted``: a model may be asked for it."""
    if outcome.plan:
        return Summary(f"Nothing was run. The query would find {candidate.reading}.", "plan")
    number = bare_count(outcome.columns, outcome.rows)
    if number is not None:
        return Summary(count_sentence(number, candidate.counts), "count")
    table = table_sentence(candidate.reading, outcome.columns, outcome.rows, truncated=outcome.truncated)
    if ports.complete is None or not wanted or not outcome.rows:
        return Summary(table, "table")
    prompt = summary_prompt(
        question.text,
        candidate.reading,
        outcome.columns,
        outcome.rows,
        more=outcome.truncated or len(outcome.rows) > SHOWN_ROWS,
    )
    try:
        text = " ".join(ports.complete(prompt).text.split())
    except ModelFailed as failed:
        return Summary(table, "table", (f"The model did not summarise ({failed}).",))
    fault = _fault(text, question, candidate, outcome)
    if fault:
        return Summary(table, "table", (f"The model's summary was not used: {fault}.",))
    return Summary(text, "model")


def _fault(text: str, question: Question, candidate: Candidate, outcome: Outcome) -> str:
    """Why the summary cannot stand; the empty text when it can."""
    if not text:
        return "it was empty"
    if len(text) > MAX_SUMMARY_CHARS:
        return "it was too long"
    if _LINK.search(text):
        return "it had a link or markup in it"
    known = _numbers(" ".join(str(value) for row in outcome.rows for value in _flat(row)))
    known |= _numbers(question.text) | _numbers(str(list(candidate.parameters.values())))
    known |= _numbers(" ".join(outcome.columns)) | {str(len(outcome.rows))}
    invented = {one for one in _numbers(text) if one not in known and not _rounds(one, known)}
    if invented:
        return f"it names numbers that are not in the rows ({', '.join(sorted(invented)[:3])})"
    return ""


def _numbers(text: str) -> set[str]:
    return {one.replace(",", "").rstrip(".") for one in _NUMBER.findall(text)}


def _rounds(number: str, known: set[str]) -> bool:
    """Whether it is one of the numbers, rounded to its places."""
    places = len(number.partition(".")[2])
    return any("." in one and f"{round(float(one), places):.{places}f}" == number for one in known)


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [part for one in value.values() for part in _flat(one)]
    if isinstance(value, list | tuple):
        return [part for one in value for part in _flat(one)]
    return [value]
