"""Which tool to call next, with which arguments: one for each thing that was asked for, in that order, none twice."""

import re
from dataclasses import dataclass

from apps.llm.language import arithmetic, words
from apps.llm.language.goals import conjuncts_of, steps_of
from apps.llm.language.intents import intent_of, is_about_itself, is_greeting
from apps.llm.providers.base import ProviderCall
from apps.llm.providers.demo.conversation import Conversation, bare
from apps.llm.providers.demo.filling import fill
from apps.llm.providers.demo.memory import is_about_conversation
from apps.llm.providers.demo.source import Source
from apps.llm.providers.demo.toolbox import Match, best, ranked
from apps.llm.providers.demo.values import Values
from apps.llm.types import ToolCall, ToolSpec

MAX_PARTS = 8
_NO_TOOLS = re.compile(r"\b(?:without|don'?t\s+use|do\s+not\s+(?:use|call)|no|senza|non\s+usare)\s+(?:using\s+"
                       r"|calling\s+|usare\s+)?(?:any\s+|the\s+)?"
                       r"(?:tools?|strumenti)\b", re.IGNORECASE)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call to make, or what has to be known before it can be made."""

    call: ToolCall | None = None
    tool: str = ""
    missing: tuple[str, ...] = ()


def next_call(call: ProviderCall, said: Conversation) -> Wanted | None:
    """What to call now; None: answer in words."""
    if not call.tools or call.tool_choice == "none":
        return None
    if call.tool_choice == "auto":
        return _chosen(call, said)
    tools = (
        call.tools
        if call.tool_choice == "required"
        else tuple(tool for tool in call.tools if tool.name == call.tool_choice)
    )
    open_parts = [part for part in _parts(tools, said) if not _was_made(part, said)]
    tool, text = (open_parts or [(ranked(tools, said.instruction)[0].tool, said.focus)])[0]
    return Wanted(_made(tool, text, said)[0])


def _chosen(call: ProviderCall, said: Conversation) -> Wanted | None:
    if _is_for_words(said):
        return None
    for tool, text in _parts(call.tools, said):
        made, missing = _made(tool, text, said)
        if missing and text != said.focus:
            whole, still_missing = _made(tool, said.focus, said)
            made, missing = (whole, still_missing) if len(still_missing) < len(missing) else (made, missing)
        if any(earlier.name == made.name and earlier.arguments == made.arguments for earlier in said.calls_made):
            continue
        if any(earlier.name == made.name for earlier in said.calls_made) and len(said.calls_made) >= MAX_PARTS:
            continue
        return Wanted(None, tool.name, missing) if missing else Wanted(made)
    return None


def _is_for_words(said: Conversation) -> bool:
    """Whether the message is for the model itself, or is refused: then no tool is called for it."""
    text = said.instruction
    if not text or is_greeting(text) or is_about_itself(text) or is_about_conversation(text, said):
        return True
    return bool(_NO_TOOLS.search(text)) or intent_of(text).category == "DANGEROUS"


def _was_made(part: tuple[ToolSpec, str], said: Conversation) -> bool:
    made, _ = _made(*part, said)
    return any(earlier.name == made.name and earlier.arguments == made.arguments for earlier in said.calls_made)


def _parts(tools: tuple[ToolSpec, ...], said: Conversation) -> list[tuple[ToolSpec, str]]:
    """The tools that the request is about, each with its part of the text."""
    steps = steps_of(said.request)[:MAX_PARTS]
    found: list[tuple[ToolSpec, str]] = []
    for step in steps:
        found += _of_step(tools, step)
    if len(found) <= 1:
        whole = best(tools, said.instruction) or _special(tools, said.focus)
        tool = found[0][0] if found else whole.tool if whole else None
        return [(tool, said.focus)] if tool else []
    return found[:MAX_PARTS]


def _of_step(tools: tuple[ToolSpec, ...], step: str) -> list[tuple[ToolSpec, str]]:
    """One tool for a step, or one for each of its conjuncts where every one of these is clearly about another tool."""
    conjuncts = conjuncts_of(step)
    if 1 < len(conjuncts) <= MAX_PARTS:
        matches = [best(tools, bare(part)) for part in conjuncts]
        clear = [(match.tool, part) for match, part in zip(matches, conjuncts, strict=True) if match and match.names]
        if len({tool.name for tool, _ in clear}) == len(conjuncts):
            return clear
    match = best(tools, bare(step)) or _special(tools, step)
    return [(match.tool, step)] if match else []


def _special(tools: tuple[ToolSpec, ...], text: str) -> Match | None:
    """A tool for what does not say what it is: a sum for one that calculates, Cypher for one that takes it."""
    if Values(text).cypher:
        takers = [tool for tool in tools if {"cypher", "statement"} & set(tool.parameters.get("properties") or {})]
        return ranked(tuple(takers), "run the query")[0] if takers else None
    return best(tools, "calculate the expression") if arithmetic.find_sum(bare(text)) else None


def _made(tool: ToolSpec, text: str, said: Conversation) -> tuple[ToolCall, tuple[str, ...]]:
    """The call with arguments out of the text, and which required ones nothing was said about."""
    source = Source(Values(text), bare(text) or text[: words.READ_CHARS], is_call=True, is_italian=said.is_italian)
    filled = fill(tool.parameters or {"type": "object"}, source)
    arguments = filled.value if isinstance(filled.value, dict) else {}
    return ToolCall(f"call_{said.calls_ever + 1}", tool.name, arguments), tuple(dict.fromkeys(filled.missing))
