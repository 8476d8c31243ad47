"""A call's messages as the demo provider reads them: what is asked now, what was said before, what tools answered.

What tools answer, fenced blocks, tables and quoted strings are data. Only the user's own words ask for something.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from apps.llm.language import words
from apps.llm.providers.base import ProviderCall
from apps.llm.providers.demo.values import Values, without_quotes
from apps.llm.types import Message, ToolCall

_FENCE = re.compile(r"```[^\n`]{0,40}+\n?+([^`]*+)(?:```|\Z)")
_TAGGED = re.compile(r"<(\w{1,30})>([^<]{0,20000})</\1>")
_LABEL = re.compile(
    r"^[ \t]*(?:the\s+)?(?:user'?s?\s+)?(?:goal|prompt|question|request|message|obiettivo|domanda|richiesta|messaggio)"
    r"(?:\s+is)?[ \t]*:[ \t]*\n?",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_LABEL = re.compile(r"\n[ \t]*(?:\n|[A-Z][A-Za-z ]{1,30}:[ \t\n])")
_TABLE_LINE = re.compile(r"^[ \t]*\|.*\|[ \t]*$\n?", re.MULTILINE)
_REPAIR = "That does not fit the required JSON Schema."


@dataclass(frozen=True)
class ToolOutcome:
    """What one call of a tool gave back."""

    call: ToolCall
    content: str


@dataclass(frozen=True)
class Conversation:
    """The messages of one call."""

    messages: tuple[Message, ...]
    purpose: str = "chat"

    @classmethod
    def of(cls, call: ProviderCall) -> "Conversation":
        return cls(call.messages, call.purpose)

    @cached_property
    def asked_at(self) -> int:
        """Where the latest message of the user is; -1 without any. A request to repair JSON is not a new question."""
        found = [
            position
            for position, message in enumerate(self.messages)
            if message.role == "user" and not message.content.startswith(_REPAIR)
        ]
        return found[-1] if found else -1

    @cached_property
    def question(self) -> str:
        """The user's latest message, whole."""
        return self.messages[self.asked_at].content if self.asked_at >= 0 else ""

    @cached_property
    def focus(self) -> str:
        """The question within a prompt's frame: what stands after "Goal:" or inside <prompt>, else all of it."""
        text = self.question
        label = _LABEL.search(text[: words.READ_CHARS])
        if label and (label.start() == 0 or self.purpose != "chat"):
            rest = text[label.end() :]
            end = _NEXT_LABEL.search(rest[: words.READ_CHARS])
            found = rest[: end.start()] if end else rest
            if found.strip():
                return _unwrapped(found)
        tagged = _TAGGED.search(text[: words.READ_CHARS])
        if tagged and tagged.group(1).lower() in ("goal", "prompt", "question", "request", "message", "query", "input"):
            return tagged.group(2).strip()
        return _unwrapped(text)

    @cached_property
    def instruction(self) -> str:
        """What the user asks, in the user's own words: without fenced blocks, tables, JSON and quoted strings."""
        return bare(self.focus)

    @cached_property
    def request(self) -> str:
        """The focus without fenced blocks, tables and JSON; with what is quoted, which may be an argument."""
        return without_data(self.focus)

    @cached_property
    def values(self) -> Values:
        return Values(self.focus)

    @cached_property
    def system(self) -> str:
        return "\n".join(message.content for message in self.messages if message.role == "system")[: words.READ_CHARS]

    @cached_property
    def said_before(self) -> list[str]:
        """The user's earlier messages, oldest first."""
        return [message.content for message in self.messages[: max(self.asked_at, 0)] if message.role == "user"]

    @cached_property
    def answers_before(self) -> list[str]:
        return [message.content for message in self.messages if message.role == "assistant" and message.content]

    @cached_property
    def outcomes(self) -> list[ToolOutcome]:
        """What tools answered since the question, in order."""
        since = self.messages[self.asked_at + 1 :]
        calls = {call.id: call for message in since for call in message.tool_calls}
        return [
            ToolOutcome(
                calls.get(message.tool_call_id or "") or ToolCall(message.tool_call_id or "", message.name or "", {}),
                message.content,
            )
            for message in since
            if message.role == "tool"
        ]

    @cached_property
    def calls_made(self) -> list[ToolCall]:
        """The calls since the question, answered or not."""
        return [call for message in self.messages[self.asked_at + 1 :] for call in message.tool_calls]

    @cached_property
    def calls_ever(self) -> int:
        return sum(len(message.tool_calls) for message in self.messages)

    @cached_property
    def is_italian(self) -> bool:
        return words.is_italian(self.instruction)


def bare(text: str) -> str:
    """The text without its fenced blocks, tables, JSON and quoted strings, bounded."""
    return without_quotes(without_data(text)).strip()


def without_data(text: str) -> str:
    """The text without its fenced blocks, tables and JSON, bounded."""
    return _without_json(_TABLE_LINE.sub(" ", _FENCE.sub(" ", text[: words.READ_CHARS])))


def fenced(text: str) -> list[str]:
    """What stands in the fenced blocks."""
    return [block.strip() for block in _FENCE.findall(text) if block.strip()]


def _without_json(text: str) -> str:
    """Without what stands in balanced brackets that hold quotes or colons: one pass, no look-back."""
    kept: list[str] = []
    depth, start = 0, 0
    for position, letter in enumerate(text):
        if letter in "[{":
            if depth == 0:
                start = position
            depth += 1
        elif letter in "]}" and depth:
            depth -= 1
            if depth == 0:
                inside = text[start : position + 1]
                kept.append(" " if any(mark in inside for mark in '":,') else inside)
        elif depth == 0:
            kept.append(letter)
    if depth:
        rest = text[start:]
        kept.append(" " if '"' in rest else rest)
    return "".join(kept)


def _unwrapped(text: str) -> str:
    """Without the quotes around the whole of it."""
    text = text.strip()
    for opening, closing in (('"""', '"""'), ('"', '"'), ("«", "»"), ("“", "”")):
        inside = text[len(opening) : len(text) - len(closing)]
        if (
            len(text) > 2 * len(opening)
            and text.startswith(opening)
            and text.endswith(closing)
            and closing not in inside
        ):
            return inside.strip()
    return text
