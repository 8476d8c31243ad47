"""What the stub server's models do, by their names.

echo                     says "You said: " and what the user said last
say:TEXT                 says TEXT
repair:TEXT              says nonsense, and TEXT once it is told what is wrong
tool                     calls the first tool offered, its first (required) parameter being what the user said; then
                         tells what it gave
slow-first-S, drip-S     S seconds until the answer begins; S seconds before each piece
cut-N                    cuts the connection after N pieces
endless                  never stops talking
html, truncated, bad-utf8, no-choices, bad-arguments, number-text       200, and no answer
negative-usage, no-usage, huge-usage                                    counts that are none
many-tools, huge-tool    fifty thousand calls; arguments of 5 MB
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

MANY = 50_000


@dataclass(frozen=True)
class Ask:
    """A request: the model's name, the body, and the how-manieth request for this model it is."""

    model: str
    body: dict[str, Any]
    number: int


@dataclass
class Reply:
    """What is answered, whatever the wire. ``raw`` replaces everything."""

    pieces: list[str] = field(default_factory=list)
    tool_calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments as text
    status: int = 200
    error: str = ""
    error_code: str = ""
    retry_after: str = ""
    first_byte_s: float = 0.0
    piece_s: float = 0.0
    cut_after: int | None = None
    endless: bool = False
    raw: bytes | None = None
    raw_type: str = "application/json"
    tokens_in: int | None = 0
    tokens_out: int = 0
    text_override: Any = None

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def reply_to(ask: Ask) -> Reply:
    """The fixed answer."""
    reply = _said(ask, f"You said: {_last(ask.body, 'user')}")
    name = ask.model
    if found := re.fullmatch(r"fail-(\d{3})(?:-after-([\w: ,.-]+?))?(?:-times-(\d+))?", name):
        status, after, times = found.groups()
        if times is None or ask.number <= int(times):
            return Reply(status=int(status), error=f"The server says {status}.", retry_after=after or "")
        return reply
    if name.startswith("say:"):
        return _said(ask, name.removeprefix("say:"))
    if name.startswith("repair:"):
        told = _last(ask.body, "user").startswith("That does not fit")
        return _said(ask, name.removeprefix("repair:") if told else "Certainly! Here you are.")
    if name == "tool":
        return _tool(ask)
    if name.startswith("slow-first-"):
        reply.first_byte_s = float(name.removeprefix("slow-first-"))
    elif name.startswith("drip-"):
        reply.piece_s = float(name.removeprefix("drip-"))
    elif name.startswith("cut-"):
        reply.cut_after = int(name.removeprefix("cut-"))
    elif name in _FAULTS:
        _FAULTS[name](reply)
    elif name.startswith("missing"):
        return Reply(status=404, error=f"model '{name}' not found", error_code="model_not_found")
    return reply


def _said(ask: Ask, text: str) -> Reply:
    pieces = re.findall(r"\S+\s*", text) or [""]
    words = sum(len(str(message.get("content") or "").split()) for message in ask.body.get("messages", []))
    return Reply(pieces=pieces, tokens_in=words, tokens_out=len(pieces))


def _last(body: dict[str, Any], role: str) -> str:
    said = [message.get("content") for message in body.get("messages", []) if message.get("role") == role]
    return str(said[-1]) if said else ""


def _tool(ask: Ask) -> Reply:
    messages = ask.body.get("messages", [])
    if messages and messages[-1].get("role") == "tool":
        return _said(ask, f"The tool gave: {messages[-1].get('content')}")
    tools = ask.body.get("tools") or []
    if not tools:
        return _said(ask, "There is no tool.")
    function = tools[0]["function"]
    schema = function.get("parameters", {})
    parameters = [*schema.get("required", ()), *schema.get("properties", {})][:1]
    reply = _said(ask, "")
    reply.tool_calls = [(function["name"], json.dumps({name: _last(ask.body, "user") for name in parameters}))]
    return reply


def _context(reply: Reply) -> None:
    reply.status, reply.error_code = 400, "context_length_exceeded"
    reply.error = "This model's maximum context length is 8192 tokens. Please reduce the length of the messages."


def _raw(body: bytes, content_type: str = "application/json") -> Any:
    def lay(reply: Reply) -> None:
        reply.raw, reply.raw_type = body, content_type

    return lay


def _set(**changes: Any) -> Any:
    def lay(reply: Reply) -> None:
        for name, value in changes.items():
            setattr(reply, name, value)

    return lay


_FAULTS: dict[str, Any] = {
    "context": _context,
    "endless": _set(endless=True),
    "html": _raw(b"<!doctype html><html><body>Welcome to the proxy</body></html>", "text/html"),
    "truncated": _raw(b'{"id": "x", "choices": [{"message": {"role": "assi'),
    "bad-utf8": _raw(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
    "no-choices": _raw(b'{"id": "x", "object": "chat.completion", "model": "m", "choices": []}'),
    "number-text": _set(text_override=42),
    "negative-usage": _set(tokens_in=-5, tokens_out=-7),
    "huge-usage": _set(tokens_in=10**30, tokens_out=10**30),
    "no-usage": _set(tokens_in=None),
    "bad-arguments": _set(tool_calls=[("look", '["no object"')]),
    "many-tools": _set(tool_calls=[("look", "{}")] * MANY),
    "huge-tool": _set(tool_calls=[("look", json.dumps({"q": "x" * 5_000_000}))]),
}
