"""Questions that lean on what was said before ("and how many of them failed?"), made to stand alone for the graph."""

from typing import Any

from apps.agents.phases import messages
from apps.agents.prompts import texts
from apps.agents.types import Ports, RunView
from apps.llm.errors import CompletionError
from apps.llm.language import words
from apps.llm.language.goals import refers_back
from apps.llm.language.intents import intent_of
from apps.llm.language.vocabulary import word_set

TURNS, TURN_CHARS = 6, 1_000
QUESTION_CHARS = 1_000
_GOES_ON = word_set("and only but also what about same e ed solo ma anche invece stesso stessa")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"question": {"type": "string", "minLength": 1, "maxLength": QUESTION_CHARS}},
    "required": ["question"],
    "additionalProperties": False,
}


def alone(view: RunView, question: str, ports: Ports) -> str:
    """The question as it can be understood alone: by a model, and only where it leans on a session that has lines.

    It stays as it is when no model answers, and when what comes back is no question that only reads.
    """
    if view.session_id is None or len(view.todos) != 1 or not _leans(question):
        return question
    said = [f"{one.role}: {' '.join(one.content.split())[:TURN_CHARS]}" for one in ports.history()[-TURNS:]]
    if not said:
        return question
    asked = messages.with_data(texts.REWRITE, question, conversation=said)
    try:
        rewritten = str(ports.complete(asked, purpose="rewrite", response_schema=SCHEMA).data["question"]).strip()
    except CompletionError:
        return question
    return rewritten if intent_of(rewritten).category in ("GRAPH", "CHAT") else question


def _leans(question: str) -> bool:
    first = words.words(question)[:1]
    return refers_back(question) or bool(first and first[0].lower() in _GOES_ON)
