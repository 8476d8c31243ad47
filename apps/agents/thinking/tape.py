"""The tape of a run: every answer from outside is kept before it is used, and whoever asks again gets it from here.

A request is known by the hash of its place in the run, its kind, and everything in it that could change the answer;
equal requests of one place are told apart by their number (``occurrence``). So a step that is done again, by another
worker or in a later attempt, finds what it was answered, and neither asks nor pays again. Two workers who both believe
that the step is theirs get the same answer: the first that is written stays.

Failures are kept as well, so that a run can be followed exactly; a later attempt asks again.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, LiteralString, Protocol
from uuid import UUID

import psycopg
from django.db import OperationalError
from psycopg.types.numeric import Int8
from pydantic_core import from_json, to_json

from kernel.connections import give_back
from kernel.errors import PlatformError
from kernel.jsonb import json_text
from kernel.tenant_context import tenant_statement

ANSWER_BYTES = 256 * 1024
REQUEST_BYTES = 256 * 1024  # kept of a request; its hash is of all of it
REQUEST_HEAD_CHARS = 32_000
KEEP_PAUSES_S = (0.1, 0.4, 1.0, 2.0)  # between tries to keep an answer while PostgreSQL is away
KINDS = ("model", "tool", "graph", "session")

OF_PLACE: LiteralString = """
SELECT request_hash, occurrence, answer::text AS answer, attempt, idempotency_key,
    answered_at IS NOT NULL AS is_answered
FROM run_tape WHERE run_id = %(run)s AND place = %(place)s
"""
# Whatever is there already stays, unless it is an intent without an answer, or an earlier attempt's failure: that one
# is asked again under a new key, which an intent writes first.
KEEP: LiteralString = """
INSERT INTO run_tape (tenant_id, run_id, request_hash, occurrence, kind, place, attempt, request, answer,
    idempotency_key, tokens, cost_nano_usd, asked_at, answered_at)
VALUES (%(tenant)s, %(run)s, %(hash)s, %(occurrence)s, %(kind)s, %(place)s, %(attempt)s, %(request)s::jsonb,
    %(answer)s::jsonb, %(key)s, %(tokens)s, %(cost)s, clock_timestamp(),
    CASE WHEN %(answer)s::jsonb IS NULL THEN NULL ELSE clock_timestamp() END)
ON CONFLICT (run_id, request_hash, occurrence) DO UPDATE SET
    (answer, attempt, tokens, cost_nano_usd, answered_at, idempotency_key) = (SELECT
        CASE WHEN news THEN EXCLUDED.answer ELSE run_tape.answer END,
        CASE WHEN news THEN EXCLUDED.attempt ELSE run_tape.attempt END,
        CASE WHEN news THEN EXCLUDED.tokens ELSE run_tape.tokens END,
        CASE WHEN news THEN EXCLUDED.cost_nano_usd ELSE run_tape.cost_nano_usd END,
        CASE WHEN news THEN EXCLUDED.answered_at ELSE run_tape.answered_at END,
        CASE WHEN failed_before THEN EXCLUDED.idempotency_key ELSE run_tape.idempotency_key END
    FROM (SELECT failed_before, failed_before OR (EXCLUDED.answer IS NOT NULL AND run_tape.answered_at IS NULL) AS news
        FROM (SELECT COALESCE(run_tape.answer ? 'error', false) AND run_tape.attempt < EXCLUDED.attempt
            AS failed_before) AS earlier) AS judged)
RETURNING answer::text AS answer, idempotency_key
"""


class AnswerTooLargeError(PlatformError):
    """Something outside answered with more than a run keeps."""

    code, http_status, title = "answer_too_large", 502, "Answer Too Large"


@dataclass(frozen=True, slots=True)
class Said:
    """What the outside gave: ``value``, or ``error`` ({code, message}), and what it took."""

    value: Any = None
    error: dict[str, Any] | None = None
    tokens: int = 0
    cost_nano_usd: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value} if self.error is None else {"error": self.error}


@dataclass(frozen=True, slots=True)
class Taken:
    """An answer as it stands on the tape."""

    value: Any
    error: dict[str, Any] | None
    from_tape: bool


def no_reservation(key: str) -> None:
    """Nothing is taken from any budget."""


Ask = Callable[[str], Said]
Reserve = Callable[[str], None]


class Tape(Protocol):
    """Where the ports of one place keep and find answers."""

    def answer(
        self, kind: str, request: dict[str, Any], ask: Ask, *, intent: bool = False, reserve: Reserve = no_reservation
    ) -> Taken:
        """What is on the tape for the request, else what ``ask(idempotency_key)`` gives, kept before it is returned.

        ``intent``: that it will be asked is written first, with the key, because asking changes something. ``reserve``
        gets the key before anything is written or asked, and raises what forbids it.
        """


def request_hash(place: str, kind: str, request: dict[str, Any]) -> str:
    """SHA-256 of the canonical request, in hex."""
    return hashlib.sha256(_canonical([place, kind, request])).hexdigest()


def _canonical(value: Any) -> bytes:
    """JSON of the value with every object's keys in order."""
    return to_json(_sorted(value), inf_nan_mode="constants")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_sorted(part) for part in value]
    return value


@dataclass(slots=True)
class DatabaseTape:
    """The tape of one place of a run (``classify``, ``plan``, ``step 3``, ``finalize``) in PostgreSQL.

    One statement at the first request, and one for each answer that is new: transactions of their own, so that an
    answer is there before it is used, whatever becomes of the step.
    """

    run_id: UUID
    tenant_id: UUID
    place: str
    attempt: int
    _known: dict[tuple[str, int], dict[str, Any]] | None = None
    _counts: dict[str, int] = field(default_factory=dict)

    def answer(
        self, kind: str, request: dict[str, Any], ask: Ask, *, intent: bool = False, reserve: Reserve = no_reservation
    ) -> Taken:
        digest = request_hash(self.place, kind, request)
        occurrence = self._counts.get(digest, 0)
        self._counts[digest] = occurrence + 1
        found = self._of_place().get((digest, occurrence))
        if found is not None and self._stands(found):
            return _taken(found["answer"], from_tape=True)
        number = sum(self._counts.values()) - 1
        is_open = found is not None and not found["is_answered"]
        row: dict[str, Any] = {
            "tenant": self.tenant_id,
            "run": self.run_id,
            "hash": digest,
            "occurrence": occurrence,
            "kind": kind,
            "place": self.place,
            "attempt": self.attempt,
            "request": json_text(_bounded_request(request)),
            "key": found["idempotency_key"]
            if found is not None and is_open
            else f"{self.run_id}:{self.place.removeprefix('step ')}:{self.attempt}:{number}",
        }
        reserve(row["key"])
        if intent and not is_open:
            kept = self._keep(row, None)
            if kept["answer"] is not None:  # somebody else was here and is done
                return _taken(kept["answer"], from_tape=True)
            row["key"] = kept["idempotency_key"]
        said = _bounded(ask(row["key"]))
        return _taken(self._keep(row, said)["answer"], from_tape=False)

    def _of_place(self) -> dict[tuple[str, int], dict[str, Any]]:
        if self._known is None:
            rows = tenant_statement(self.tenant_id, OF_PLACE, {"run": self.run_id, "place": self.place})
            self._known = {(row["request_hash"], row["occurrence"]): _read(row) for row in rows}
        return self._known

    def _stands(self, found: dict[str, Any]) -> bool:
        """Whether it is an answer for this attempt: not an intent, and no failure of an earlier attempt."""
        return bool(found["is_answered"]) and ("error" not in found["answer"] or found["attempt"] >= self.attempt)

    def _keep(self, row: dict[str, Any], said: Said | None) -> dict[str, Any]:
        values = {
            **row,
            "answer": json_text(said.as_json()) if said else None,
            "tokens": Int8(said.tokens if said else 0),
            "cost": Int8(said.cost_nano_usd if said else 0),
        }
        for pause_s in KEEP_PAUSES_S:
            try:
                return self._kept(values)
            except (psycopg.OperationalError, OperationalError):  # what was paid for is not thrown away at once
                give_back()
                time.sleep(pause_s)
        return self._kept(values)

    def _kept(self, values: dict[str, Any]) -> dict[str, Any]:
        (kept,) = tenant_statement(self.tenant_id, KEEP, values)
        return _read(kept)


def _read(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its answer as a value."""
    return row | {"answer": None if row["answer"] is None else from_json(row["answer"])}


def _taken(answer: dict[str, Any], *, from_tape: bool) -> Taken:
    return Taken(answer.get("value"), answer.get("error"), from_tape)


def _bounded(said: Said) -> Said:
    """The answer, or an error that says how much too large it is."""
    size = len(to_json(said.as_json(), inf_nan_mode="null"))
    if size <= ANSWER_BYTES:
        return said
    message = f"The answer has {size:,} bytes; a run keeps at most {ANSWER_BYTES:,}. Ask for less at once."
    return Said(None, {"code": AnswerTooLargeError.code, "message": message}, said.tokens, said.cost_nano_usd)


def _bounded_request(request: dict[str, Any]) -> dict[str, Any]:
    text = to_json(request, inf_nan_mode="null")
    if len(text) <= REQUEST_BYTES:
        return request
    return {"truncated": True, "bytes": len(text), "head": text[:REQUEST_HEAD_CHARS].decode("utf-8", "replace")}
