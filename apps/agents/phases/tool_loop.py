"""An answer by a model that may call tools: bounded in rounds and calls, with everything that tools say as data.

What the model wishes after the first of them spoke may be their wish: those calls are tainted (R30).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.agents.types import Ports, ToolAnswer
from apps.llm.types import CompletionResult, Message, ToolCall, ToolSpec

MAX_ROUNDS = 4
MAX_CALLS = 32
RESULT_CHARS = 12_000  # of one tool's answer in a prompt
NO_CALLS_LEFT = ToolAnswer(
    False, error={"code": "too_many_calls", "message": f"A step makes at most {MAX_CALLS} calls."}
)


@dataclass(slots=True)
class Outcome:
    """``calls``: [{tool, arguments, ok, result or error}], in order. ``answer``: the model's last."""

    answer: CompletionResult
    calls: list[dict[str, Any]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.answer.text.strip()


def answer(
    messages: tuple[Message, ...],
    tools: Sequence[ToolSpec],
    ports: Ports,
    *,
    tainted: bool,
    say: Callable[[str], None] | None,
) -> Outcome:
    """The model's answer after at most MAX_ROUNDS rounds of tool calls and one without. CompletionError of the port.

    ``tainted``: ``messages`` hold data already; else only the first round's wishes are the person's own.
    """
    names = {wire_name(tool.name): tool.name for tool in tools}
    specs = tuple(ToolSpec(wire_name(tool.name), tool.description, tool.parameters) for tool in tools)
    known: dict[str, ToolAnswer] = {}
    calls: list[dict[str, Any]] = []
    for round_number in range(MAX_ROUNDS + 1):
        offered = specs if round_number < MAX_ROUNDS and len(calls) < MAX_CALLS else ()
        said = ports.complete(messages, purpose="chat", tools=offered, say=say)
        if not said.tool_calls or not offered:
            return Outcome(said, calls)
        outcomes = []
        for call in said.tool_calls:
            given = NO_CALLS_LEFT
            name = names.get(call.name, call.name)
            if len(calls) < MAX_CALLS:
                ports.checkpoint()
                given = _called(ToolCall(call.id, name, call.arguments), ports, known, tainted=tainted)
                calls.append({"tool": name, "arguments": call.arguments, "ok": given.ok,
                              **({"result": given.result} if given.ok else {"error": given.error})})  # fmt: skip
            outcomes.append(Message("tool", as_data(given), tool_call_id=call.id, name=call.name))
        messages = (*messages, Message("assistant", said.text, tool_calls=said.tool_calls), *outcomes)
        tainted = True
    raise AssertionError("the last round offers no tools")


def wire_name(name: str) -> str:
    """A tool's name as every provider takes it: letters, digits, underscores."""
    return name.replace(".", "_")


def as_data(given: ToolAnswer) -> str:
    """What a tool gave, as JSON that no text in it can end. Nor can one be taken for a tag, or for the signs with which
    some models mark whose turn it is (``<|im_start|>``)."""
    value = {"ok": True, "result": given.result} if given.ok else {"ok": False, "error": given.error}
    text = json.dumps(value, ensure_ascii=False, default=str).replace("<", "\\u003c").replace(">", "\\u003e")
    if len(text) <= RESULT_CHARS:
        return text
    return json.dumps({"ok": given.ok, "truncated": True, "head": text[:RESULT_CHARS]}, ensure_ascii=False)


def _called(call: ToolCall, ports: Ports, known: dict[str, ToolAnswer], *, tainted: bool) -> ToolAnswer:
    """The tool's answer; the same call with the same arguments is made once a step."""
    key = json.dumps([call.name, call.arguments], sort_keys=True, default=str)
    if key not in known:
        known[key] = ports.invoke_tool(call.name, call.arguments, tainted=tainted)
    return known[key]
