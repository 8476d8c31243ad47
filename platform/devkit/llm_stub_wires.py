"""How the stub server's answers look on each wire."""

import json
import re
from typing import Any, Protocol
from urllib.parse import unquote

from devkit.llm_stub_model import Reply

CREATED = 1_700_000_000


class Wire(Protocol):
    """One provider's wire."""

    stream_type: str

    def is_upkeep(self, path: str) -> bool: ...
    def model_of(self, path: str, body: dict[str, Any]) -> str: ...
    def wants_stream(self, body: dict[str, Any]) -> bool: ...
    def error(self, text: str, code: str) -> dict[str, Any]: ...
    def whole(self, model: str, reply: Reply) -> dict[str, Any]: ...
    def stream(self, model: str, reply: Reply) -> list[bytes]: ...


def of_path(path: str) -> Wire:
    """The wire that has this path."""
    return OllamaWire() if path.startswith("/api/") else OpenAIWire()


def listing(path: str, pulled: list[str], loaded: list[str]) -> dict[str, Any]:
    """The models that the server says it has."""
    if path.startswith("/api/tags"):
        return {"models": [{"name": name, "model": name, "size": 1000} for name in ["echo", *pulled]]}
    if path.startswith("/api/ps"):
        return {"models": [{"name": name, "model": name, "size": 1000} for name in loaded]}
    if path.startswith("/api/version"):
        return {"version": "0.0.0-stub"}
    return {"object": "list", "data": [{"id": "echo", "object": "model", "created": CREATED, "owned_by": "stub"}]}


def pull_steps() -> list[dict[str, Any]]:
    """The progress of a download."""
    steps: list[dict[str, Any]] = [{"status": "pulling manifest"}]
    steps += [
        {"status": "pulling 1234", "digest": "sha256:1234", "total": 1000, "completed": n} for n in (0, 500, 1000)
    ]
    steps.append({"status": "success"})
    return steps


def ndjson(documents: list[dict[str, Any]]) -> list[bytes]:
    """One line for each."""
    return [json.dumps(document).encode() + b"\n" for document in documents]


class OpenAIWire:
    """/v1/chat/completions, and the same below /openai/deployments."""

    stream_type = "text/event-stream"

    def is_upkeep(self, path: str) -> bool:
        return False

    def model_of(self, path: str, body: dict[str, Any]) -> str:
        deployment = re.search(r"/deployments/([^/]+)/", path)
        return unquote(deployment[1]) if deployment else str(body.get("model", ""))

    def wants_stream(self, body: dict[str, Any]) -> bool:
        return bool(body.get("stream"))

    def error(self, text: str, code: str) -> dict[str, Any]:
        return {"error": {"message": text, "type": "invalid_request_error", "param": None, "code": code or None}}

    def whole(self, model: str, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text_override or reply.text}
        if reply.tool_calls:
            message |= {
                "content": None,
                "tool_calls": [_call(*call, number) for number, call in enumerate(reply.tool_calls)],
            }
        choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
        document = {"id": "stub", "object": "chat.completion", "created": CREATED, "model": model, "choices": [choice]}
        return document if reply.tokens_in is None else {**document, "usage": _usage(reply)}

    def stream(self, model: str, reply: Reply) -> list[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if reply.tool_calls:
            for number, (name, arguments) in enumerate(reply.tool_calls):
                begun = _call(name, "", number) | {"index": number}
                deltas.append({"tool_calls": [begun]})
                half = len(arguments) // 2
                for part in (arguments[:half], arguments[half:]):
                    deltas.append({"tool_calls": [{"index": number, "function": {"arguments": part}}]})
        else:
            deltas += [{"content": reply.text_override or piece} for piece in reply.pieces]
        lines = [_event(model, {"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
        lines.append(_event(model, {"index": 0, "delta": {}, "finish_reason": _finish(reply)}))
        if reply.tokens_in is not None:
            lines.append(_event(model, None, _usage(reply)))
        return [*lines[1:], b"data: [DONE]\n\n"] if not reply.tool_calls else [*lines, b"data: [DONE]\n\n"]


class OllamaWire:
    """/api/chat and what is beside it."""

    stream_type = "application/x-ndjson"

    def is_upkeep(self, path: str) -> bool:
        return path.startswith(("/api/pull", "/api/generate"))

    def model_of(self, path: str, body: dict[str, Any]) -> str:
        return str(body.get("model", ""))

    def wants_stream(self, body: dict[str, Any]) -> bool:
        return bool(body.get("stream", True))

    def error(self, text: str, code: str) -> dict[str, Any]:
        return {"error": text}

    def whole(self, model: str, reply: Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text_override or reply.text}
        if reply.tool_calls:
            message |= {"content": "", "tool_calls": _ollama_calls(reply)}
        return {"model": model, "created_at": "2026-01-01T00:00:00Z", "message": message, **_ollama_end(reply)}

    def stream(self, model: str, reply: Reply) -> list[bytes]:
        messages: list[dict[str, Any]] = [
            {"role": "assistant", "content": reply.text_override or piece} for piece in reply.pieces if piece
        ]
        if reply.tool_calls:
            messages = [{"role": "assistant", "content": "", "tool_calls": _ollama_calls(reply)}]
        steps: list[dict[str, Any]] = [{"model": model, "message": message, "done": False} for message in messages]
        steps.append({"model": model, "message": {"role": "assistant", "content": ""}, **_ollama_end(reply)})
        return ndjson(steps)


def _call(name: str, arguments: str, number: int) -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def _finish(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"


def _usage(reply: Reply) -> dict[str, Any]:
    tokens_in = reply.tokens_in or 0
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": reply.tokens_out,
        "total_tokens": tokens_in + reply.tokens_out,
    }


def _event(model: str, choice: dict[str, Any] | None, usage: dict[str, Any] | None = None) -> bytes:
    chunk = {
        "id": "stub",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "choices": [choice] if choice else [],
        "usage": usage,
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _ollama_calls(reply: Reply) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    for name, arguments in reply.tool_calls:
        try:
            calls.append({"function": {"name": name, "arguments": json.loads(arguments)}})
        except ValueError:
            calls.append({"function": {"name": name, "arguments": arguments}})
    return calls


def _ollama_end(reply: Reply) -> dict[str, Any]:
    end: dict[str, Any] = {"done": True, "done_reason": "stop", "total_duration": 1000}
    if reply.tokens_in is not None:
        end |= {"prompt_eval_count": reply.tokens_in, "eval_count": reply.tokens_out}
    return end
