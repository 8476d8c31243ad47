"""Ollama's own API: chat, and what its /v1 has not: which models are there and loaded, pulling, warming up."""

from collections.abc import Iterator
from typing import Any

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.client import ProviderClient
from apps.llm.net.limits import CallLimits
from apps.llm.providers import parts, wire
from apps.llm.providers.base import ProviderAnswer, ProviderCall, ProviderConfig, PullProgress, RemoteModel
from apps.llm.types import MAX_TOOL_CALLS, Message, ToolCall, Usage

# What Ollama reads below "options"; it ignores these without a word where it does not expect them.
OPTIONS = frozenset({
    "frequency_penalty", "low_vram", "main_gpu", "min_p", "mirostat", "mirostat_eta", "mirostat_tau", "num_batch",
    "num_ctx", "num_gpu", "num_keep", "num_thread", "penalize_newline", "presence_penalty", "repeat_last_n",
    "repeat_penalty", "seed", "temperature", "tfs_z", "top_k", "top_p", "typical_p", "use_mmap",
})  # fmt: skip


class OllamaAdapter:
    """``base_url`` ends before /api: http://127.0.0.1:11434."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        headers = {"Authorization": f"Bearer {config.api_key}"} if config.api_key else {}
        self._wire = wire.Wire(
            ProviderClient(base_url=config.base_url, headers=headers, pool_size=config.max_concurrency),
            config.api_key,
        )

    def complete(self, call: ProviderCall) -> ProviderAnswer:
        answer = self._wire.fetch("POST", "api/chat", call.limits, self._body(call, stream=False))
        self._wire.refuse_error(answer)
        message = answer.get("message")
        if not isinstance(message, dict) or answer.get("done") is not True:
            parts.garbage("The answer has no message.")
        return _answer(answer, parts.text_of(message.get("content")), parts.calls_of(message.get("tool_calls")), call)

    def stream(self, call: ProviderCall) -> Iterator[str | ProviderAnswer]:
        pieces: list[str] = []
        calls: list[ToolCall] = []
        lines = self._wire.lines("api/chat", call.limits, self._body(call, stream=True))
        try:
            for line in lines:
                if not line:
                    continue
                step = parts.document(line)
                self._wire.refuse_error(step)
                message = step.get("message")
                if not isinstance(message, dict):
                    parts.garbage("A step of the stream has no message.")
                for call_out in parts.list_of(message.get("tool_calls")):
                    calls.append(parts.call_of(call_out, len(calls)))
                    if len(calls) > MAX_TOOL_CALLS:
                        parts.garbage(f"It calls more than {MAX_TOOL_CALLS} tools at once.")
                if piece := parts.text_of(message.get("content")):
                    pieces.append(piece)
                    yield piece
                if step.get("done") is True:
                    wire.drain(lines, call.limits)
                    yield _answer(step, "".join(pieces), tuple(calls), call)
                    return
            raise ProviderFailure(FailureKind.CONNECTION, "It ended before the answer did.")
        except ProviderFailure as failure:
            raise wire.broken(failure, shown=bool(pieces)) from failure
        finally:
            lines.close()

    def list_models(self, limits: CallLimits) -> list[RemoteModel]:
        loaded = {name for name, _ in self._names("api/ps", limits)}
        return [RemoteModel(name, size, name in loaded) for name, size in self._names("api/tags", limits)]

    def warm_up(self, model_id: str, limits: CallLimits) -> None:
        """A request without a prompt loads the model and keeps it for keep_alive."""
        self._wire.refuse_error(
            self._wire.fetch("POST", "api/generate", limits, {**self._keep(), "model": model_id, "stream": False})
        )

    def unload(self, model_id: str, limits: CallLimits) -> None:
        """A request without a prompt that keeps the model for no time."""
        body = {"model": model_id, "keep_alive": 0, "stream": False}
        self._wire.refuse_error(self._wire.fetch("POST", "api/generate", limits, body))

    def pull(self, model_id: str, limits: CallLimits) -> Iterator[PullProgress]:
        lines = self._wire.lines("api/pull", limits, {"model": model_id, "stream": True})
        status = ""
        try:
            for line in lines:
                if line:
                    step = parts.document(line)
                    self._wire.refuse_error(step)
                    status = parts.text_of(step.get("status"))[: wire.DETAIL_CHARS]
                    total = step.get("total")
                    yield PullProgress(
                        status,
                        parts.count_of(step.get("completed"), parts.BYTES_MAX) if total is not None else None,
                        parts.count_of(total, parts.BYTES_MAX) if total is not None else None,
                    )
        finally:
            lines.close()
        if status != "success":
            raise ProviderFailure(FailureKind.CONNECTION, "The download ended before it was whole.")

    def close(self) -> None:
        self._wire.close()

    def _names(self, path: str, limits: CallLimits) -> list[tuple[str, int | None]]:
        found = self._wire.fetch("GET", path, limits).get("models")
        if not isinstance(found, list):
            parts.garbage("The list of models is no list.")
        names = [(one.get("name"), one.get("size")) for one in found if isinstance(one, dict)]
        return [
            (parts.name_of(name, ""), parts.count_of(size, parts.BYTES_MAX) if isinstance(size, int) else None)
            for name, size in names
            if isinstance(name, str)
        ]

    def _keep(self) -> dict[str, Any]:
        keep_alive = self._config.extra.get("keep_alive")
        return {"keep_alive": keep_alive} if keep_alive else {}

    def _body(self, call: ProviderCall, *, stream: bool) -> dict[str, Any]:
        options = {name: call.parameters[name] for name in OPTIONS if name in call.parameters}
        options["num_predict"] = call.max_tokens
        if call.temperature is not None:
            options["temperature"] = call.temperature
        if call.stop:
            options["stop"] = list(call.stop)
        body: dict[str, Any] = {
            **{name: value for name, value in call.parameters.items() if name not in OPTIONS},
            **self._keep(),
            "model": call.model_id,
            "messages": [_message(message) for message in call.messages],
            "stream": stream,
            "options": options,
            "truncate": False,  # else it drops the oldest messages without a word (before 0.12.6 it does so anyway)
        }
        if call.tools and call.tool_choice != "none":
            # Ollama has no tool_choice: where one tool is meant, it is the only one offered.
            meant = [tool for tool in call.tools if tool.name == call.tool_choice]
            body["tools"] = parts.tools_out(meant or call.tools)
        if call.response_schema is not None:
            body["format"] = call.response_schema
        return body


def _answer(step: dict[str, Any], text: str, calls: tuple[ToolCall, ...], call: ProviderCall) -> ProviderAnswer:
    usage: Usage | None = parts.usage_of(step.get("prompt_eval_count"), step.get("eval_count"))
    finish = parts.finish_of(step.get("done_reason"), calls)
    return ProviderAnswer(text, finish, parts.name_of(step.get("model"), call.model_id), calls, usage)


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "content": message.content, "tool_name": message.name or ""}
    if message.tool_calls:
        calls = [{"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls]
        return {"role": message.role, "content": message.content, "tool_calls": calls}
    return {"role": message.role, "content": message.content}
