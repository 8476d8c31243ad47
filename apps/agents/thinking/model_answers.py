"""Requests to models and their answers as JSON, for the tape: what could change an answer, and what is used of one."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from apps.llm.types import CompletionRequest, CompletionResult, Cost, ToolCall, Usage


def request_json(request: CompletionRequest) -> dict[str, Any]:
    """What of a request decides its answer. Not how long it may take, nor whose books it is on."""
    return {
        "purpose": request.purpose,
        "model": request.model,
        "temperature": request.temperature,
        "messages": [
            {"role": message.role, "content": message.content}
            | ({"tool_calls": [asdict(call) for call in message.tool_calls]} if message.tool_calls else {})
            | ({"tool_call_id": message.tool_call_id, "name": message.name} if message.role == "tool" else {})
            for message in request.messages
        ],
        "tools": [asdict(tool) for tool in request.tools],
        "response_schema": request.response_schema,
    }


def to_json(result: CompletionResult) -> dict[str, Any]:
    """An answer as the tape keeps it: without the tries that led to it, which the gateway's books and metrics have."""
    said = asdict(result)
    for name in ("call_id", "provider_id", "instance_id"):
        said[name] = str(said[name])
    del said["attempts"]
    return said


def from_json(said: dict[str, Any]) -> CompletionResult:
    """The answer again."""
    values = {
        **said,
        "call_id": UUID(said["call_id"]),
        "provider_id": UUID(said["provider_id"]),
        "instance_id": UUID(said["instance_id"]),
        "tool_calls": tuple(ToolCall(**call) for call in said["tool_calls"]),
        "usage": Usage(**said["usage"]),
        "cost": Cost(**said["cost"]),
        "budget_warnings": tuple(said["budget_warnings"]),
        "attempts": (),
    }
    return CompletionResult(**values)
