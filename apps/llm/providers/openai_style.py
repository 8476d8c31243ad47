"""OpenAI's chat completions, and every server that speaks like them: vLLM, llama.cpp, LM Studio, Ollama's /v1."""

from collections.abc import Generator, Iterator
from typing import Any

from pydantic_core import to_json

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.addresses import host_of
from apps.llm.net.client import ProviderClient
from apps.llm.net.limits import CallLimits
from apps.llm.providers import parts, wire
from apps.llm.providers.base import ProviderAnswer, ProviderCall, ProviderConfig, PullProgress, RemoteModel
from apps.llm.types import MAX_TOOL_CALLS, Message, Usage

DONE = b"[DONE]"
OPENAI_HOST = "api.openai.com:443"


class OpenAIStyleAdapter:
    """``base_url`` ends before /chat/completions: https://api.openai.com/v1."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        self._is_openai = host_of(config.base_url) == OPENAI_HOST
        self._want_newer_name: set[str] = set()
        self._wire = wire.Wire(
            ProviderClient(base_url=config.base_url, headers=self.headers(config), pool_size=config.max_concurrency),
            config.api_key,
        )

    def headers(self, config: ProviderConfig) -> dict[str, str]:
        """How the key travels."""
        return {"Authorization": f"Bearer {config.api_key}"} if config.api_key else {}

    def path(self, model_id: str) -> str:
        """Where a completion of this model is asked for."""
        return "chat/completions"

    def models_path(self) -> str:
        return "models"

    def complete(self, call: ProviderCall) -> ProviderAnswer:
        path = self.path(call.model_id)
        try:
            answer = self._wire.fetch("POST", path, call.limits, body := self._body(call))
        except ProviderFailure as failure:
            if not self._learns_name(call, body, failure):
                raise
            answer = self._wire.fetch("POST", path, call.limits, self._body(call))
        self._wire.refuse_error(answer)
        choices = answer.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(choice, dict) or not isinstance(message, dict):
            parts.garbage("The answer has no message.")
        calls = parts.calls_of(message.get("tool_calls"))
        return ProviderAnswer(
            text=parts.text_of(message.get("content")),
            finish_reason=parts.finish_of(choice.get("finish_reason"), calls),
            model_id=parts.name_of(answer.get("model"), call.model_id),
            tool_calls=calls,
            usage=_usage(answer.get("usage")),
        )

    def stream(self, call: ProviderCall) -> Iterator[str | ProviderAnswer]:
        body = {**self._body(call), "stream": True, "stream_options": {"include_usage": True}}
        whole = _Whole(call.model_id)
        lines = self._wire.lines(self.path(call.model_id), call.limits, body)
        try:
            for event in _events(lines):
                self._wire.refuse_error(event)
                if piece := whole.take(event):
                    yield piece
            wire.drain(lines, call.limits)
        except ProviderFailure as failure:
            if not self._learns_name(call, body, failure):
                raise wire.broken(failure, shown=bool(whole.pieces)) from failure
            yield from self.stream(call)
            return
        finally:
            lines.close()
        yield whole.answer()

    def list_models(self, limits: CallLimits) -> list[RemoteModel]:
        found = self._wire.fetch("GET", self.models_path(), limits).get("data")
        if not isinstance(found, list):
            parts.garbage("The list of models is no list.")
        names = [one.get("id") for one in found if isinstance(one, dict)]
        return [RemoteModel(parts.name_of(name, "")) for name in names if isinstance(name, str)]

    def warm_up(self, model_id: str, limits: CallLimits) -> None:
        """One token, so that a server that loads models on demand has loaded it."""
        self.complete(ProviderCall(model_id, (Message("user", "Hello"),), limits, max_tokens=1))

    def unload(self, model_id: str, limits: CallLimits) -> None:
        raise ProviderFailure(FailureKind.UNSUPPORTED, "Models are not unloaded through this kind of provider.")

    def pull(self, model_id: str, limits: CallLimits) -> Iterator[PullProgress]:
        raise ProviderFailure(FailureKind.UNSUPPORTED, "Models are not downloaded through this kind of provider.")

    def close(self) -> None:
        self._wire.close()

    def _learns_name(self, call: ProviderCall, sent: dict[str, Any], failure: ProviderFailure) -> bool:
        """Whether it was refused for calling the tokens' limit by its older name. Most servers know that one only;
        models that reason, on Azure and behind proxies too, want the newer one and say so. Each is asked wrongly once.
        """
        if (
            failure.kind is FailureKind.BAD_REQUEST
            and "max_completion_tokens" in failure.detail
            and "max_tokens" in sent
        ):
            self._want_newer_name.add(call.model_id)
            return True
        return False

    def _body(self, call: ProviderCall) -> dict[str, Any]:
        newer = self._is_openai or call.model_id in self._want_newer_name
        body: dict[str, Any] = {
            **call.parameters,
            "model": call.model_id,
            "messages": [_message(message) for message in call.messages],
            "max_completion_tokens" if newer else "max_tokens": call.max_tokens,
        }
        if call.temperature is not None:
            body["temperature"] = call.temperature
        if call.stop:
            body["stop"] = list(call.stop)
        if call.tools:
            body["tools"] = parts.tools_out(call.tools)
            body["tool_choice"] = (
                call.tool_choice
                if call.tool_choice in ("auto", "none", "required")
                else {"type": "function", "function": {"name": call.tool_choice}}
            )
        if call.response_schema is not None:
            schema = {"name": "answer", "schema": call.response_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


class _Whole:
    """A streamed answer as it grows."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self.pieces: list[str] = []
        self.fragments: dict[int, dict[str, str]] = {}
        self.finish: object = None
        self.usage: Usage | None = None

    def take(self, chunk: dict[str, Any]) -> str:
        """Add a chunk; the text that it brought."""
        self.usage = _usage(chunk.get("usage")) or self.usage
        self.model_id = parts.name_of(chunk.get("model"), self.model_id)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return ""
        self.finish = choice.get("finish_reason") or self.finish
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return ""
        for fragment in parts.list_of(delta.get("tool_calls")):
            self._add(fragment)
        piece = parts.text_of(delta.get("content"))
        if piece:
            self.pieces.append(piece)
        return piece

    def _add(self, fragment: object) -> None:
        function = fragment.get("function") if isinstance(fragment, dict) else None
        if not isinstance(fragment, dict) or not isinstance(function, dict):
            parts.garbage("A tool call in the stream is none.")
        index = fragment.get("index")
        if index is None:  # not every server counts them: what has an id begins a call
            index = len(self.fragments) if fragment.get("id") else max(self.fragments, default=0)
        if not isinstance(index, int):
            parts.garbage("A tool call in the stream is none.")
        if index not in self.fragments and len(self.fragments) >= MAX_TOOL_CALLS:
            parts.garbage(f"It calls more than {MAX_TOOL_CALLS} tools at once.")
        held = self.fragments.setdefault(index, {"id": "", "name": "", "arguments": ""})
        held["id"] = held["id"] or parts.text_of(fragment.get("id"))
        held["name"] += parts.text_of(function.get("name"))
        held["arguments"] += parts.text_of(function.get("arguments"))
        if max(len(held["name"]), len(held["arguments"])) > parts.ARGUMENTS_MAX_BYTES:
            parts.garbage(f"The arguments of a tool call exceed {parts.ARGUMENTS_MAX_BYTES} bytes.")

    def answer(self) -> ProviderAnswer:
        """The whole; a stream that did not say why it ended was cut."""
        if self.finish is None:
            raise wire.broken(
                ProviderFailure(FailureKind.CONNECTION, "It ended before the answer did."), shown=bool(self.pieces)
            )
        calls = parts.calls_of(
            [
                {"id": one["id"], "function": {"name": one["name"], "arguments": one["arguments"]}}
                for _, one in sorted(self.fragments.items())
            ]
        )
        finish = parts.finish_of(self.finish, calls)
        return ProviderAnswer("".join(self.pieces), finish, self.model_id, calls, self.usage)


def _events(lines: Iterator[bytes]) -> Generator[dict[str, Any], None, None]:
    """The documents of a stream of server-sent events, up to [DONE]."""
    data: list[bytes] = []
    for line in lines:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            event, data = b"\n".join(data), []
            if event.strip() == DONE:
                return
            yield parts.document(event)
        elif line and not data and line.lstrip()[:1] in (b"<", b"{"):
            parts.garbage("The answer is no stream of events.")


def _usage(found: object) -> Usage | None:
    if not isinstance(found, dict):
        return None
    details = found.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return parts.usage_of(found.get("prompt_tokens"), found.get("completion_tokens"), cached)


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id or "", "content": message.content}
    if message.tool_calls:
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": to_json(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
        return {"role": message.role, "content": message.content or None, "tool_calls": calls}
    return {"role": message.role, "content": message.content}
