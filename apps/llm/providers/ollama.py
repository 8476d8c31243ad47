"""Ollama's own API: chat, and what its /v1 has not: which models are there and loaded, pulling, warming up."""

from collections.abc import Iterator
from typing import Any

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.client import provider_client
from apps.llm.net.limits import CallLimits
from apps.llm.providers import wire
from apps.llm.providers.base import ProviderAnswer, ProviderCall, ProviderConfig, PullProgress, RemoteModel
from apps.llm.types import Message, ToolCall, Usage

OPTIONS = ("num_ctx", "num_gpu", "num_thread", "repeat_penalty", "seed", "top_k", "top_p", "min_p", "mirostat")


class OllamaAdapter:
    """``base_url`` ends before /api: http://127.0.0.1:11434."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config
        headers = {"Authorization": f"Bearer {config.api_key}"} if config.api_key else {}
        self._wire = wire.Wire(
            provider_client(base_url=config.base_url, headers=headers, pool_size=config.max_concurrency),
            config.api_key,
        )

    def complete(self, call: ProviderCall) -> ProviderAnswer:
        answer = self._wire.fetch("POST", "api/chat", call.limits, self._body(call, stream=False))
        _refuse_error(answer)
        message = answer.get("message")
        if not isinstance(message, dict) or answer.get("done") is not True:
            wire.garbage("The answer has no message.")
        return _answer(answer, wire.text_of(message.get("content")), wire.calls_of(message.get("tool_calls")), call)

    def stream(self, call: ProviderCall) -> Iterator[str | ProviderAnswer]:
        pieces: list[str] = []
        calls: list[Any] = []
        lines = self._wire.lines("api/chat", call.limits, self._body(call, stream=True))
        try:
            for line in lines:
                if not line:
                    continue
                step = wire.document(line)
                _refuse_error(step)
                message = step.get("message")
                if not isinstance(message, dict):
                    wire.garbage("A step of the stream has no message.")
                calls += message.get("tool_calls") or []
                wire.calls_of(calls)
                if piece := wire.text_of(message.get("content")):
                    pieces.append(piece)
                    yield piece
                if step.get("done") is True:
                    wire.drain(lines, call.limits)
                    yield _answer(step, "".join(pieces), wire.calls_of(calls), call)
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
        _refuse_error(
            self._wire.fetch("POST", "api/generate", limits, {**self._keep(), "model": model_id, "stream": False})
        )

    def pull(self, model_id: str, limits: CallLimits) -> Iterator[PullProgress]:
        lines = self._wire.lines("api/pull", limits, {"model": model_id, "stream": True})
        status = ""
        try:
            for line in lines:
                if line:
                    step = wire.document(line)
                    _refuse_error(step)
                    status = wire.text_of(step.get("status"))[: wire.DETAIL_CHARS]
                    total = step.get("total")
                    yield PullProgress(
                        status,
                        wire.count_of(step.get("completed")) if total is not None else None,
                        wire.count_of(total) if total is not None else None,
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
            wire.garbage("The list of models is no list.")
        names = [(one.get("name"), one.get("size")) for one in found if isinstance(one, dict)]
        return [
            (name[: wire.NAME_MAX_CHARS], size if isinstance(size, int) else None)
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
            **{name: value for name, value in call.parameters.items() if name not in options},
            **self._keep(),
            "model": call.model_id,
            "messages": [_message(message) for message in call.messages],
            "stream": stream,
            "options": options,
        }
        if call.tools and call.tool_choice != "none":
            # Ollama has no tool_choice: where one tool is meant, it is the only one offered.
            meant = [tool for tool in call.tools if tool.name == call.tool_choice]
            body["tools"] = wire.tools_out(meant or call.tools)
        if call.response_schema is not None:
            body["format"] = call.response_schema
        return body


def _answer(step: dict[str, Any], text: str, calls: tuple[ToolCall, ...], call: ProviderCall) -> ProviderAnswer:
    usage: Usage | None = wire.usage_of(step.get("prompt_eval_count"), step.get("eval_count"))
    finish = wire.finish_of(step.get("done_reason"), calls)
    return ProviderAnswer(text, finish, wire.name_of(step.get("model"), call.model_id), calls, usage)


def _refuse_error(step: dict[str, Any]) -> None:
    """Ollama reports what goes wrong in mid-answer with status 200."""
    if "error" in step:
        said = step["error"] if isinstance(step["error"], str) else "an error"
        kind = FailureKind.NOT_FOUND if "not found" in said or "does not exist" in said else FailureKind.GARBAGE
        raise ProviderFailure(kind, f"It says: {said}"[: wire.DETAIL_CHARS])


def _message(message: Message) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "content": message.content, "tool_name": message.name or ""}
    if message.tool_calls:
        calls = [{"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls]
        return {"role": message.role, "content": message.content, "tool_calls": calls}
    return {"role": message.role, "content": message.content}
