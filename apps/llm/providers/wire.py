"""What all wires share: one request and its failure, streams line by line, and the parts of an answer, none believed
before it was looked at.
"""

import re
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import httpx2
from pydantic_core import from_json, to_json

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.client import failure_of, stepwise
from apps.llm.net.limits import CallLimits, limited
from apps.llm.types import MAX_TOOL_CALLS, FinishReason, ToolCall, ToolSpec, Usage

ARGUMENTS_MAX_BYTES = 65_536
LINE_MAX_BYTES = 1_048_576
TOKENS_MAX = 10**9
NAME_MAX_CHARS = 255
DETAIL_CHARS = 300
DRAIN_S = 0.1
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}tokens|too many tokens|prompt is too long|input length", re.I
)
_BY_STATUS = {
    401: FailureKind.AUTH,
    403: FailureKind.AUTH,
    404: FailureKind.NOT_FOUND,
    408: FailureKind.SERVER,
    409: FailureKind.SERVER,
    413: FailureKind.CONTEXT_LENGTH,
    425: FailureKind.SERVER,
    429: FailureKind.RATE_LIMIT,
}


class Wire:
    """Requests to one provider. ``key`` is only known here so that it can be struck out of what the provider says."""

    def __init__(self, client: httpx2.Client, key: str) -> None:
        self._client, self._key = client, key

    def fetch(self, method: str, path: str, limits: CallLimits, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that the provider answers. ProviderFailure otherwise."""
        try:
            with limited(limits):
                response = self._client.request(method, path, content=_encoded(body), headers=_TYPE if body else None)
        except httpx2.HTTPError as error:
            raise failure_of(error, limits) from error
        if response.status_code != 200:
            raise self._refusal(response)
        return document(response.content)

    def lines(self, path: str, limits: CallLimits, body: dict[str, Any]) -> Generator[bytes, None, None]:
        """The lines of a streamed answer as they come, without their ends. Closing it closes the connection."""
        request = self._client.build_request("POST", path, content=_encoded(body), headers=_TYPE)
        try:
            with limited(limits):
                response = self._client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise failure_of(error, limits) from error
        try:
            if response.status_code != 200:
                with limited(limits):
                    response.read()
                raise self._refusal(response)
            yield from _split(stepwise(limits, response.iter_raw()))
        except httpx2.HTTPError as error:
            raise failure_of(error, limits) from error
        finally:
            response.close()

    def close(self) -> None:
        self._client.close()

    def _refusal(self, response: httpx2.Response) -> ProviderFailure:
        """The failure that a status other than 200 means."""
        status = response.status_code
        said, code = _error_of(response.content)
        kind = _BY_STATUS.get(status) or (FailureKind.SERVER if status >= 500 else FailureKind.BAD_REQUEST)
        if status < 400:
            kind = FailureKind.GARBAGE
        if 400 <= status < 500 and (code == "context_length_exceeded" or (status != 429 and _TOO_LONG.search(said))):
            kind = FailureKind.CONTEXT_LENGTH
        if code == "insufficient_quota":  # a 429 that no waiting mends
            kind = FailureKind.AUTH
        shown = said.replace(self._key, "(key)") if self._key else said
        return ProviderFailure(
            kind,
            f"It answered {status}{': ' if shown else ''}{shown}"[:DETAIL_CHARS],
            status_code=status,
            retry_after_s=retry_after(response.headers),
        )


_TYPE = {"Content-Type": "application/json"}


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
    """The model that says it answered."""
    return value[:NAME_MAX_CHARS] if isinstance(value, str) and value else otherwise


def count_of(value: object) -> int:
    """A number of tokens: whole, not negative, not absurd."""
    if isinstance(value, bool) or not isinstance(value, int):
        return 0
    return min(max(0, value), TOKENS_MAX)


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
    if not found:
        return ()
    if not isinstance(found, list):
        garbage("The tool calls are no list.")
    if len(found) > MAX_TOOL_CALLS:
        garbage(f"It calls {len(found)} tools at once; {MAX_TOOL_CALLS} are the most.")
    return tuple(_call_of(call, number) for number, call in enumerate(found))


def tools_out(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools as OpenAI and Ollama want them offered."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in tools
    ]


def retry_after(headers: httpx2.Headers) -> float | None:
    """Seconds until the provider wants to be asked again: retry-after-ms, or Retry-After as seconds or as a date."""
    try:
        if (milliseconds := headers.get("retry-after-ms")) is not None:
            seconds = float(milliseconds) / 1000
        elif (stated := headers.get("retry-after")) is None:
            return None
        elif re.fullmatch(r"\d+(\.\d+)?", stated.strip()):
            seconds = float(stated)
        else:
            seconds = (parsedate_to_datetime(stated) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), 1e9) if seconds == seconds else None


def broken(failure: ProviderFailure, *, shown: bool) -> ProviderFailure:
    """The failure of a stream: after its first piece, a cut or nonsense means that it was interrupted."""
    if shown and failure.kind in (FailureKind.CONNECTION, FailureKind.GARBAGE):
        return ProviderFailure(FailureKind.INTERRUPTED, f"The stream broke off. {failure.detail}")
    return failure


def drain(lines: Iterator[bytes], limits: CallLimits) -> None:
    """Take what still comes after the answer's end, for a moment: a connection read to its end can be used again."""
    limits.deadline = min(limits.deadline, time.monotonic() + DRAIN_S)
    with suppress(ProviderFailure):
        for _ in lines:
            pass


def _call_of(call: object, number: int) -> ToolCall:
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
    if len(to_json(arguments)) > ARGUMENTS_MAX_BYTES:
        garbage(f"The arguments of a tool call exceed {ARGUMENTS_MAX_BYTES} bytes.")
    identity = call.get("id")
    return ToolCall(
        identity[:NAME_MAX_CHARS] if isinstance(identity, str) and identity else f"call_{number}", name, arguments
    )


def _error_of(body: bytes) -> tuple[str, str]:
    """(message, code) of an error's body: {"error": {message, code}} or {"error": text}."""
    try:
        found = from_json(body)
    except ValueError:
        return "", ""
    error = found.get("error") if isinstance(found, dict) else None
    if isinstance(error, str):
        return error, ""
    if not isinstance(error, dict):
        return "", ""
    message, code = error.get("message"), error.get("code")
    return message if isinstance(message, str) else "", code if isinstance(code, str) else ""


def _encoded(body: dict[str, Any] | None) -> bytes | None:
    return None if body is None else to_json(body)


def _split(chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    held = b""
    try:
        for chunk in chunks:
            *whole, held = (held + chunk).split(b"\n")
            if len(held) > LINE_MAX_BYTES:
                garbage("A line of the stream is too long.")
            for line in whole:
                yield line.rstrip(b"\r")
        if held:
            yield held.rstrip(b"\r")
    finally:
        chunks.close()
