"""The parts of an answer, none believed before it was looked at."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from pydantic_core import from_json

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.types import MAX_TOOL_CALLS, FinishReason, ToolCall, ToolSpec, Usage

ARGUMENTS_MAX_BYTES = 65_536
TOKENS_MAX = 10**9
BYTES_MAX = 2**53
NAME_MAX_CHARS = 255


def garbage(what: str) -> NoReturn:
    """The answer is none."""
    raise ProviderFailure(FailureKind.GARBAGE, what)


def document(body: bytes | str) -> dict[str, Any]:
    """The JSON object in ``body``; GARBAGE otherwise."""
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise ProviderFailure(FailureKind.GARBAGE, "The answer is not JSON.") from error
    if not isinstance(found, dict):
        garbage("The answer is not a JSON object.")
    return found


def text_of(value: object) -> str:
    """A text that PostgreSQL and JSON can hold; absent is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        garbage("The answer's text is no text.")
    return value.replace("\0", "") if "\0" in value else value


def name_of(value: object, otherwise: str) -> str:
    """A name that the provider gives: of the model that answered, of a call."""
    return (text_of(value)[:NAME_MAX_CHARS] if isinstance(value, str) else "") or otherwise


def count_of(value: object, most: int = TOKENS_MAX) -> int:
    """A number of tokens or bytes: whole, not negative, not absurd."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(0, value), most)


def list_of(value: object) -> list[Any]:
    """The tool calls of an answer or of a piece of it; absent is empty."""
    if not value:
        return []
    if not isinstance(value, list):
        garbage("The tool calls are no list.")
    return value


def usage_of(tokens_in: object, tokens_out: object, cached: object = None) -> Usage | None:
    """None when the provider did not count."""
    if tokens_in is None and tokens_out is None:
        return None
    whole = count_of(tokens_in)
    return Usage(whole, count_of(tokens_out), min(whole, count_of(cached)))


def finish_of(value: object, calls: Sequence[ToolCall]) -> FinishReason:
    """Why the answer ended, in our words."""
    if calls:
        return "tool_calls"
    if value in ("length", "content_filter"):
        return value
    return "stop"


def calls_of(found: object) -> tuple[ToolCall, ...]:
    """Tool calls in the shape that OpenAI and Ollama share: {id?, function: {name, arguments}}."""
    calls = list_of(found)
    if len(calls) > MAX_TOOL_CALLS:
        garbage(f"It calls {len(calls)} tools at once; {MAX_TOOL_CALLS} are the most.")
    return tuple(call_of(call, number) for number, call in enumerate(calls))


def call_of(call: object, number: int) -> ToolCall:
    """One tool call, the ``number``-th of its answer."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        garbage("A tool call is no object.")
    name, arguments = function.get("name"), function.get("arguments")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_MAX_CHARS:
        garbage("A tool call names no tool.")
    if isinstance(arguments, str):
        if len(arguments) > ARGUMENTS_MAX_BYTES:
            garbage(f"The arguments of a tool call exceed {ARGUMENTS_MAX_BYTES} bytes.")
        arguments = document(arguments) if arguments.strip() else {}
    if not isinstance(arguments, dict):
        garbage("The arguments of a tool call are no object.")
    try:
        arguments, size_bytes = storable(arguments)
    except ValueError:
        garbage("The arguments of a tool call hold a number that is too large.")
    if size_bytes > ARGUMENTS_MAX_BYTES:
        garbage(f"The arguments of a tool call exceed {ARGUMENTS_MAX_BYTES} bytes.")
    return ToolCall(name_of(call.get("id"), f"call_{number}"), text_of(name), arguments)


def storable(value: Any) -> tuple[Any, int]:
    """The value as every database can hold it, without NUL, and its size as JSON in bytes. ValueError for a number that
    is none: 1e999 is JSON, and infinite once it is read."""
    encoded = json.dumps(value, allow_nan=False, ensure_ascii=False)
    return _without_nul(value) if "\\u0000" in encoded else value, len(encoded.encode())


def tools_out(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools as OpenAI and Ollama want them offered."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in tools
    ]


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    if isinstance(value, dict):
        return {text_of(name): _without_nul(one) for name, one in value.items()}
    return value
