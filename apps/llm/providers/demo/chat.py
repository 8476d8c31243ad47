"""An answer in words: what the demo provider can say for certain, and otherwise what it would need."""

import re

from apps.llm.language import arithmetic, words
from apps.llm.language.goals import steps_of
from apps.llm.language.intents import Intent, intent_of, is_about_itself, is_greeting
from apps.llm.providers.demo import composing, memory, tables, text_work
from apps.llm.providers.demo.conversation import Conversation, bare
from apps.llm.providers.demo.digests import digest, shorten
from apps.llm.providers.demo.phrases import say
from apps.llm.providers.demo.platform_facts import fact_about
from apps.llm.types import ToolSpec

SHOWN_TOOLS = 12
LEAST_CONTEXT = 0.6  # of the question's words that a sentence must have to be an answer
_ASKS_SECRET = re.compile(r"\b(?:system\s+prompt|your\s+(?:instructions|prompt)|prompt\s+di\s+sistema"
                          r"|le\s+tue\s+istruzioni|ignore\s+(?:all\s+|the\s+)?(?:previous|above)"
                          r"|ignora\s+(?:tutte\s+)?le\s+istruzioni)\b", re.IGNORECASE)  # fmt: skip
_ASKS_TRANSLATION = re.compile(r"\b(?:translate|translation|traduci|tradurre|traduzione|traducimi)\b", re.IGNORECASE)
_ASKS_CLOCK = re.compile(r"\b(?:what\s+(?:time|day|date)\b|what(?:'s|\s+is)\s+(?:the\s+(?:time|date|weather)"
                         r"|today)|weather|che\s+ore?\s+(?:è|sono)|che\s+giorno|che\s+tempo\s+fa|meteo)",
                         re.IGNORECASE)  # fmt: skip
_ASKS_SUMMARY = re.compile(
    r"\b(?:summar\w+|tl;?dr|condense|riassum\w+|riassunto|sintesi|sintetizza|riepilog\w+|digest|in\s+short)\b",
    re.IGNORECASE,
)
_ASKS_SUM = re.compile(r"\b(?:what(?:'s|\s+is|\s+does)|how\s+much|calculate|compute|work\s+out|evaluate|solve"
                       r"|quanto\s+(?:fa|è|fanno)|calcola\w*|risolvi)\b|=\s*\??\s*$",
                       re.IGNORECASE)  # fmt: skip
_ASKS_PLAN = re.compile(r"^\W*(?:please\s+)?(?:make\s+a\s+plan|plan|give\s+me\s+(?:a\s+plan|the\s+steps)"
                        r"|break\s+(?:this\s+)?down|pianifica|fai\s+un\s+piano"
                        r"|dammi\s+i\s+passi)\b[^:\n]{0,60}?(?::|\bto\b|\bfor\b|\bper\b|\bdi\b)?\s*",
                        re.IGNORECASE)  # fmt: skip
_ASKS_CATEGORY = re.compile(
    r"^\W*(?:please\s+)?(?:classify|categori[sz]e|what\s+(?:is\s+the\s+)?(?:intent|category)|classifica"
    r"|che\s+(?:intento|categoria))\b",
    re.IGNORECASE,
)
_THANKS = re.compile(r"^\W*(?:many\s+)?(?:thank|thanks|cheers|grazie)", re.IGNORECASE)
_BYE = re.compile(r"^\W*(?:bye|goodbye|see\s+you|good\s?night|arrivederci|a\s+presto|buonanotte)", re.IGNORECASE)
_AGREES = re.compile(r"^\W*(?:ok|okay|perfect|great|perfetto|va\s+bene)\b", re.IGNORECASE)
_HOW_ARE_YOU = re.compile(r"\b(?:how\s+are\s+you|come\s+stai|come\s+va)\b", re.IGNORECASE)


def answer(said: Conversation, tools: tuple[ToolSpec, ...]) -> str:
    """The text for the user's latest message."""
    text = said.instruction
    whole = said.focus
    italian = said.is_italian
    if not whole.strip():
        return say("empty", italian)
    turns = composing.conversation_in(said.question) if said.purpose == "summarize" else []
    if turns:
        return composing.remembered(turns)
    results = composing.results_in(said.question)
    if results and (said.purpose == "respond" or _ASKS_SUMMARY.search(text)):
        is_answer = said.purpose == "respond"
        return composing.composed(results) if is_answer else composing.summarised(results, text, italian=italian)
    if said.purpose == "plan" and not is_greeting(text):
        return numbered(steps_of(whole) or [whole])
    if said.purpose == "classify":
        return intent_of(whole).category
    if said.purpose == "summarize":
        return summary(said)
    if _ASKS_SECRET.search(text):
        return say("secret", italian)
    asked_category = _ASKS_CATEGORY.search(text)
    if asked_category:
        return intent_of(text_work.body_of(whole) or whole[asked_category.end() :]).category
    intent = intent_of(text or ("" if whole != said.question else whole))
    if intent.category == "DANGEROUS":
        return say("refusal", italian, because=intent.because)
    return (
        _of_data(said, text, whole)
        or memory.recall(text, said)
        or _smalltalk(text, said, tools)
        or _worked(text, whole, italian)
        or memory.taken_note(text, said)
        or _known(text, said, intent)
        or _needs(text, intent, italian, tools)
    )


def summary(said: Conversation) -> str:
    """The gist of what was given: rows by their numbers, text by its weightiest sentences."""
    found = tables.read_within(said.question)
    if found:
        return digest(found, said.instruction, italian=said.is_italian)
    body = text_work.body_of(said.question) if _ASKS_SUMMARY.search(said.question[:300]) else said.question
    if body.strip():
        return text_work.gist(body)
    if said.answers_before or said.said_before:
        return text_work.gist("\n\n".join([*said.said_before, *said.answers_before]))
    return say("nothing_to_summarise", said.is_italian)


def numbered(steps: list[str]) -> str:
    """Steps as a numbered list."""
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))


def _of_data(said: Conversation, text: str, whole: str) -> str | None:
    if "\n" in whole or "{" in whole or "[" in whole:
        found = tables.read_within(whole)
        if found and not (text and text_work.work("", text)):
            return digest(found, text, italian=said.is_italian)
    if _ASKS_SUMMARY.search(text):
        return summary(said)
    return None


def _smalltalk(text: str, said: Conversation, tools: tuple[ToolSpec, ...]) -> str | None:
    italian = said.is_italian
    if _HOW_ARE_YOU.search(text[:300]):
        return say("fine", italian)
    if is_about_itself(text):
        offered = say("tools_offered", italian, names=names_of(tools)) if tools else ""
        return say("about", italian, tools=offered)
    if is_greeting(text):
        name = memory.user_name(said)
        kind = (
            "thanks"
            if _THANKS.match(text)
            else "bye"
            if _BYE.match(text)
            else "acknowledged"
            if _AGREES.match(text)
            else "greeting"
        )
        return say(kind, italian, name=f" {name}" if name else "")
    return None


def _worked(text: str, whole: str, italian: bool) -> str | None:
    if _ASKS_TRANSLATION.search(text):
        return say("translate", italian)
    done = text_work.work(whole, text)
    if done is not None:
        return done
    plan = _ASKS_PLAN.match(whole)
    if plan and len(steps := steps_of(whole[plan.end() :])) > 0:
        return numbered(steps)
    expression = arithmetic.find_sum(text)
    if expression and (_ASKS_SUM.search(text) or len(expression) * 2 > len(text.strip())):
        try:
            return f"{expression} = {arithmetic.work_out(expression)}"
        except arithmetic.NoSum as reason:
            return str(reason)
    if _ASKS_CLOCK.search(text):
        return say("clock", italian)
    return None


def _known(text: str, said: Conversation, intent: Intent) -> str | None:
    """What the system prompt or the conversation says about it, else what every platform of this kind has."""
    if intent.category not in ("CHAT", "SECURITY", "GRAPH"):
        return None
    asked = words.terms(text)
    if len(asked) >= 2 and ("?" in text or intent.category == "CHAT"):
        earlier = [
            bare(message.content) for message in said.messages[: max(said.asked_at, 0)] if message.role != "tool"
        ]
        best = (LEAST_CONTEXT, "")
        for sentence in (part for text_before in earlier for part in steps_of(text_before)):
            found = set(words.terms(sentence))
            share = sum(word in found for word in asked) / len(asked)
            if (
                share > best[0]
                and len(found) > len(asked) * share
                and not sentence.endswith("?")
                and words.terms(sentence) != asked
            ):
                best = (share, sentence)
        if best[1]:
            return say("from_context", said.is_italian, sentence=shorten(best[1], 400))
    return fact_about(text, said.is_italian) if intent.category != "GRAPH" else None


def _needs(text: str, intent: Intent, italian: bool, tools: tuple[ToolSpec, ...]) -> str:
    offered = say("none_fits", italian, names=names_of(tools)) if tools else say("no_tools", italian)
    if intent.category == "EXPLAIN":
        changes = intent_of(re.sub(r"(?i)\b(?:explain|spiega\w*|profile)\b", " ", text))
        is_danger = changes.category in ("DANGEROUS", "ADMIN") or bool(
            re.search(r"(?i)\b(?:delete|drop|remove|cancell|elimin)", text)
        )
        found = say("explain_danger", italian, because=changes.because) if is_danger else say("explain_read", italian)
        return say("explain_only", italian, found=found, tools=offered)
    needed = {"GRAPH": "needs_graph", "ADMIN": "needs_admin", "SECURITY": "needs_security"}.get(
        intent.category, "unknown"
    )
    return say(needed, italian, tools=offered)


def names_of(tools: tuple[ToolSpec, ...]) -> str:
    """The first tools' names."""
    shown = ", ".join(tool.name for tool in tools[:SHOWN_TOOLS])
    return shown + (", ..." if len(tools) > SHOWN_TOOLS else "")
