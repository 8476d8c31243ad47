"""What was told and asked earlier in the conversation."""

import re

from apps.llm.language import words
from apps.llm.providers.demo.conversation import Conversation, bare
from apps.llm.providers.demo.digests import shorten
from apps.llm.providers.demo.phrases import say

_READ = 2_000
_NAME = re.compile(
    r"\b(?:my\s+name\s+is|i\s+am\s+called|call\s+me|mi\s+chiamo|il\s+mio\s+nome\s+è"
    r"|chiamami)\s+([^\W\d_][\w'’-]{0,40}(?:\s+[A-Z][\w'’-]{0,40}){0,3})",
    re.IGNORECASE,
)
_FACT = re.compile(
    r"\b(?:my|our|il\s+mio|la\s+mia|i\s+miei|le\s+mie|il\s+nostro|la\s+nostra)\s+([\w '’-]{1,60}?)\s+(?:is|are|è"
    r"|e'|sono)\s+([^.!?\n]{1,200})",
    re.IGNORECASE,
)
_REMEMBER = re.compile(
    r"\b(?:remember|note|keep\s+in\s+mind|ricorda(?:ti)?|tieni\s+a\s+mente|annota)(?:\s+that|\s+che"
    r"|:)\s*([^.!?\n]{2,300})",
    re.IGNORECASE,
)
_ASKS_NAME = re.compile(r"\bwhat(?:'s|\s+is)\s+my\s+name\b|\bwho\s+am\s+i\b|\bcome\s+mi\s+chiamo\b"
                        r"|\bqual\s+è\s+il\s+mio\s+nome\b|\bdo\s+you\s+(?:know|remember)\s+my\s+name\b",
                        re.IGNORECASE)  # fmt: skip
_ASKS_FACT = re.compile(
    r"\b(?:what|which|where|who|how)(?:'s|\s+is|\s+are|\s+was)?\s+(?:my|our)\s+([\w '’-]{1,60})|\bqual(?:e"
    r"|i)?\s*(?:è|sono|era)\s+(?:il\s+mio|la\s+mia|i\s+miei|le\s+mie)\s+([\w '’-]{1,60})",
    re.IGNORECASE,
)
_ASKS_QUESTION = re.compile(
    r"\bwhat\s+(?:did|have|was)\s+i\s+(?:just\s+|first\s+|last\s+)?(?:ask|asked|say|said)\b"
    r"|\bwhat\s+was\s+my\s+(?:\w+\s+)?(?:question|request|message)\b"
    r"|\b(?:che\s+)?cosa\s+(?:ti\s+)?(?:ho|avevo)\s+(?:appena\s+)?(?:chiesto|detto)\b"
    r"|\bqual\s+era\s+la\s+mia\s+(?:\w+\s+)?(?:domanda|richiesta)\b",
    re.IGNORECASE,
)
_ASKS_ALL = re.compile(r"\bwhat\s+do\s+you\s+(?:remember|know)\s+about\s+me\b|\bwhat\s+(?:did\s+i\s+tell"
                       r"|have\s+i\s+told)\s+you\b|\b(?:che\s+)?cosa\s+(?:sai|ricordi)\s+di\s+me\b",
                       re.IGNORECASE)  # fmt: skip
_ASKS_ANSWER = re.compile(
    r"\b(?:repeat|say)\s+(?:that|it|your\s+(?:last\s+)?answer)(?:\s+again)?\W*$"
    r"|\bwhat\s+did\s+you\s+(?:just\s+)?(?:say|answer)\b|\bripeti(?:lo|\s+la\s+risposta)?\W*$"
    r"|\bcosa\s+hai\s+(?:detto|risposto)\b",
    re.IGNORECASE,
)


def is_about_conversation(text: str, said: Conversation) -> bool:
    """Whether the text tells or asks something that only the conversation knows."""
    return recall(text, said) is not None or bool(_NAME.search(text[:_READ]) or _REMEMBER.search(text[:_READ]))


def user_name(said: Conversation) -> str:
    """How the user said to be called, last said first."""
    for text in [said.focus, *reversed(said.said_before)]:
        for found in _NAME.findall(bare(text)[:_READ]):
            return str(found)
    return ""


def taken_note(text: str, said: Conversation) -> str | None:
    """The answer to somebody who only tells something."""
    if "?" in text:
        return None
    match = _NAME.search(text[:_READ])
    if match:
        return say("greeting", said.is_italian, name=f" {match.group(1)}")
    match = _REMEMBER.search(text[:_READ]) or _FACT.search(text[:_READ])
    if match:
        return say("remembered", said.is_italian, fact=shorten(match.group(0).strip(), 300))
    return None


def recall(text: str, said: Conversation) -> str | None:
    """The answer to a question about what was said; None when it is another question."""
    text = text[:_READ]
    italian = said.is_italian
    if _ASKS_QUESTION.search(text):
        if not said.said_before:
            return say("asked_nothing", italian)
        is_first = bool(re.search(r"\bfirst\b|\bprim[ao]\b|\binizi", text, re.IGNORECASE))
        return say("asked", italian, question=shorten(said.said_before[0 if is_first else -1], 500))
    if _ASKS_ANSWER.search(text) and said.answers_before:
        return said.answers_before[-1]
    if _ASKS_ALL.search(text):
        told = _told(said)
        return say("facts", italian, facts="; ".join(told)) if told else say("not_told", italian)
    if _ASKS_NAME.search(text):
        name = user_name(said)
        if name:
            return say("your_name", italian, name=name)
        return None if re.search(r"\bwho\s+am\s+i\b", text, re.IGNORECASE) else say("not_told", italian)
    match = _ASKS_FACT.search(text)
    if match:
        wanted = set(words.terms(match.group(1) or match.group(2)))
        for fact in reversed(_told(said)):
            if wanted and wanted <= set(words.terms(fact)):
                return say("fact", italian, fact=fact)
        return None
    return None


def _told(said: Conversation) -> list[str]:
    told: list[str] = []
    for text in said.said_before:
        own = bare(text)[:_READ]
        for pattern in (_NAME, _FACT, _REMEMBER):
            told += [
                match.group(0).strip()
                for match in pattern.finditer(own)
                if "?" not in own[match.start() : match.end() + 1]
            ]
    return list(dict.fromkeys(told))[-20:]
