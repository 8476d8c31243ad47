"""What all wires share: one request and what its failure means, and streams line by line."""

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.client import Answer, ProviderClient
from apps.llm.net.limits import CallLimits
from apps.llm.providers.parts import document, garbage

LINE_MAX_BYTES = 1_048_576
BOM = b"\xef\xbb\xbf"  # which a stream of events may begin with
DETAIL_CHARS = 300
DRAIN_S = 0.1
RETRY_AFTER_MAX_S = 86_400.0
_TOO_LONG = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}tokens|too many tokens|prompt is too long|input length", re.I
)
_MAY_MEAN_TOO_LONG = (400, 413, 422)
_CONTROL = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]+")
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
_BY_CODE = {str(status): kind for status, kind in _BY_STATUS.items()}


class Wire:
    """Requests to one provider. ``key`` is only known here so that it can be struck out of what the provider says."""

    def __init__(self, client: ProviderClient, key: str) -> None:
        self._client, self._key = client, key

    def fetch(self, method: str, path: str, limits: CallLimits, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that the provider answers. ProviderFailure otherwise."""
        answer = self._client.ask(method, path, limits, _encoded(body))
        said = answer.body()
        if answer.status != 200:
            raise self._refusal(answer, said)
        return document(said)

    def lines(self, path: str, limits: CallLimits, body: dict[str, Any]) -> Generator[bytes, None, None]:
        """The lines of a streamed answer as they come, without their ends. Closing it closes the connection."""
        answer = self._client.ask("POST", path, limits, _encoded(body))
        try:
            if answer.status != 200:
                raise self._refusal(answer, answer.body())
            yield from _split(answer.pieces())
        finally:
            answer.close()

    def refuse_error(self, answer: dict[str, Any]) -> None:
        """An error that comes with status 200, as Ollama and OpenRouter tell what goes wrong in mid-answer."""
        if not answer.get("error"):
            return
        said, code = _error_in(answer)
        kind = _BY_CODE.get(code, FailureKind.GARBAGE)
        if _is_too_long(said, code):
            kind = FailureKind.CONTEXT_LENGTH
        elif "not found" in said or "does not exist" in said:
            kind = FailureKind.NOT_FOUND
        raise ProviderFailure(kind, f"It says: {self._shown(said) or 'an error'}"[:DETAIL_CHARS])

    def close(self) -> None:
        self._client.close()

    def _refusal(self, answer: Answer, body: bytes) -> ProviderFailure:
        """The failure that a status other than 200 means."""
        status = answer.status
        said, code = _error_of(body)
        kind = _BY_STATUS.get(status) or (FailureKind.SERVER if status >= 500 else FailureKind.BAD_REQUEST)
        if status < 400:
            kind = FailureKind.GARBAGE
        if status in _MAY_MEAN_TOO_LONG and _is_too_long(said, code):
            kind = FailureKind.CONTEXT_LENGTH
        if code == "insufficient_quota":  # a 429 that no waiting mends
            kind = FailureKind.AUTH
        shown = self._shown(said)
        return ProviderFailure(
            kind,
            f"It answered {status}{': ' if shown else ''}{shown}"[:DETAIL_CHARS],
            status_code=status,
            retry_after_s=retry_after(answer.header),
        )

    def _shown(self, said: str) -> str:
        """The provider's words as they may be seen: without the key, and on one line."""
        return _CONTROL.sub(" ", said.replace(self._key, "(key)") if self._key else said).strip()


_ENDED_BY_US = (FailureKind.TIMEOUT, FailureKind.TOO_LARGE, FailureKind.CANCELLED)


def retry_after(header: Callable[[bytes], str | None]) -> float | None:
    """Seconds until the provider wants to be asked again, a day at most: retry-after-ms, or Retry-After as seconds or
    as a date."""
    try:
        if (milliseconds := header(b"retry-after-ms")) is not None:
            seconds = float(milliseconds) / 1000
        elif (stated := header(b"retry-after")) is None:
            return None
        elif re.fullmatch(r"\d+(\.\d+)?", stated.strip()):
            seconds = float(stated)
        else:
            seconds = (parsedate_to_datetime(stated) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), RETRY_AFTER_MAX_S) if seconds == seconds else None


def broken(failure: ProviderFailure, *, shown: bool) -> ProviderFailure:
    """The failure of a stream: after its first piece, whatever the provider does wrong is an interruption."""
    if shown and failure.kind not in _ENDED_BY_US:
        return ProviderFailure(FailureKind.INTERRUPTED, f"The stream broke off. {failure.detail}")
    return failure


def drain(lines: Iterator[bytes], limits: CallLimits) -> None:
    """Take what still comes after the answer's end, for a moment: a connection read to its end can be used again."""
    limits.deadline = min(limits.deadline, time.monotonic() + DRAIN_S)
    with suppress(ProviderFailure):
        for _ in lines:
            pass


def _is_too_long(said: str, code: str) -> bool:
    return code == "context_length_exceeded" or _TOO_LONG.search(said) is not None


def _error_of(body: bytes) -> tuple[str, str]:
    try:
        found = from_json(body)
    except ValueError:
        return "", ""
    return _error_in(found) if isinstance(found, dict) else ("", "")


def _error_in(found: dict[str, Any]) -> tuple[str, str]:
    """(message, code) of an error: {"error": {message, code}} or {"error": text}. Some have a status for a code."""
    error = found.get("error")
    if isinstance(error, str):
        return error, ""
    if not isinstance(error, dict):
        return "", ""
    message, code = error.get("message"), error.get("code")
    if isinstance(code, int) and code in _BY_STATUS:
        code = str(code)
    return message if isinstance(message, str) else "", code if isinstance(code, str) else ""


def _encoded(body: dict[str, Any] | None) -> bytes | None:
    try:
        return None if body is None else to_json(body)
    except PydanticSerializationError as error:  # half of a surrogate pair, which JSON's escapes let in
        raise ProviderFailure(FailureKind.BAD_REQUEST, "The request holds text that is no valid Unicode.") from error


def _split(chunks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    held, mark = b"", BOM
    try:
        for chunk in chunks:
            *whole, held = (held + chunk).split(b"\n")
            if len(held) > LINE_MAX_BYTES:
                garbage("A line of the stream is too long.")
            for line in whole:
                yield line.removeprefix(mark).rstrip(b"\r")
                mark = b""
        if held:
            yield held.removeprefix(mark).rstrip(b"\r")
    finally:
        chunks.close()
