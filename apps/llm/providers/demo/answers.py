"""Who answers a call: a tool's call first, then JSON where it is asked for, then words. Pure: the same call, the same
answer. A kind of answer with a grammar of its own is another module, asked here before the words.
"""

import json
from dataclasses import dataclass
from typing import Any

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.providers.base import ProviderCall
from apps.llm.providers.demo import chat, tables
from apps.llm.providers.demo.calls import next_call
from apps.llm.providers.demo.conversation import Conversation
from apps.llm.providers.demo.digests import digest
from apps.llm.providers.demo.filling import fill
from apps.llm.providers.demo.phrases import say
from apps.llm.providers.demo.source import Source
from apps.llm.providers.demo.values import Values
from apps.llm.types import ToolCall

_HALVES = dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True, slots=True)
class Answer:
    """Text or calls."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()


def answer(call: ProviderCall) -> Answer:
    """What the demo provider says to a call. ProviderFailure (BAD_REQUEST) for a tool_choice that names no tool."""
    _check_choice(call)
    said = Conversation.of(call)
    wanted = next_call(call, said)
    if wanted and wanted.call:
        return Answer(calls=(wanted.call,))
    if call.response_schema is not None:
        return Answer(_structured(call.response_schema, said, call))
    if wanted:
        missing = say("missing", said.is_italian, tool=wanted.tool, missing=", ".join(wanted.missing))
        return Answer(f"{_of_outcomes(said)}\n\n{missing}".strip())
    return Answer(_in_words(said, call))


def _check_choice(call: ProviderCall) -> None:
    named = call.tool_choice not in ("auto", "none", "required")
    if named and all(tool.name != call.tool_choice for tool in call.tools):
        raise ProviderFailure(
            FailureKind.BAD_REQUEST, f"There is no tool {call.tool_choice[:100]!r} to call.", status_code=400
        )
    if call.tool_choice == "required" and not call.tools:
        raise ProviderFailure(
            FailureKind.BAD_REQUEST, "A tool call is required, but there are no tools.", status_code=400
        )


def _in_words(said: Conversation, call: ProviderCall) -> str:
    return _of_outcomes(said) or chat.answer(said, call.tools)


def _of_outcomes(said: Conversation) -> str:
    """What the tools answered since the question; "" before any did."""
    outcomes = said.outcomes
    if not outcomes:
        return ""
    texts = [digest(tables.read(outcome.content), said.instruction, italian=said.is_italian) for outcome in outcomes]
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(
        f"**{outcome.call.name or outcome.call.id}**: {text}" for outcome, text in zip(outcomes, texts, strict=True)
    )


def _structured(schema: dict[str, Any], said: Conversation, call: ProviderCall) -> str:
    found: list[tables.Found | None] = [tables.read(outcome.content) for outcome in said.outcomes]
    found = found or [tables.read_within(said.question)]
    rows = next((one for one in found if one is not None and one.rows is not None), None)
    count = None if rows is None else rows.stated_count if rows.stated_count is not None else len(rows.rows or [])
    source = Source(
        Values(said.focus.translate(_HALVES) if not said.focus.isascii() else said.focus),
        said.instruction,
        is_italian=said.is_italian,
        row_count=count,
        reply=lambda: _in_words(said, call),
    )
    return json.dumps(fill(schema, source).value, ensure_ascii=False)
