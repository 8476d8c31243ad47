"""How many tokens the demo provider says it used: its own exact count, four characters a token."""

from collections.abc import Iterable

from pydantic_core import to_json

from apps.llm.types import Message, ToolCall, ToolSpec

CHARS_A_TOKEN = 4


def text_tokens(text: str) -> int:
    """Four characters begin a token; an empty text has none."""
    return -(-len(text) // CHARS_A_TOKEN)


def call_tokens(calls: Iterable[ToolCall]) -> int:
    """A call's name and its arguments as JSON."""
    return sum(text_tokens(call.name) + text_tokens(to_json(call.arguments).decode()) for call in calls)


def input_tokens(messages: Iterable[Message], tools: Iterable[ToolSpec]) -> int:
    """Each message is at least one token; the tools count as their name, description and schema."""
    said = sum(max(1, text_tokens(message.content)) + call_tokens(message.tool_calls) for message in messages)
    offered = sum(text_tokens(tool.name + tool.description + to_json(tool.parameters).decode()) for tool in tools)
    return said + offered
