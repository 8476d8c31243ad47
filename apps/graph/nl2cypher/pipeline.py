"""The six stages, in order (SPEC 8 step 3). Whatever is outside comes in through the ports."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

from apps.graph.nl2cypher.catalogue import look_up
from apps.graph.nl2cypher.execute import execute
from apps.graph.nl2cypher.generate import generate
from apps.graph.nl2cypher.summarize import summarize
from apps.graph.nl2cypher.types import (
    Answer,
    Candidate,
    Mode,
    Ports,
    Question,
    Refused,
    StageName,
    StageRecord,
)
from apps.graph.nl2cypher.validate import validate
from apps.graph.nl2cypher.wishes import admit

T = TypeVar("T")
TRACED_ROWS = 5
TRACED_CHARS = 2_000


def answer(text: str, ports: Ports, *, explain: bool = False, summary_by_model: bool = True) -> Answer:
    """The answer, or a refused one that says why, with the record of each stage. The door's errors pass through."""
    trace = Trace(ports)
    so_far = Answer(text)
    try:
        question = trace.stage("normalize", admit, text)
        mode: Mode = "explain" if explain or question.explain_only else "run"
        so_far = dataclasses.replace(so_far, mode=mode, category="EXPLAIN" if mode == "explain" else "GRAPH")
        candidate = trace.stage("catalogue", look_up, question) or trace.stage("generate", generate, question, ports)
        so_far = _with_candidate(so_far, candidate)
        checked = trace.stage("validate", validate, candidate, ports)
        outcome = trace.stage("execute", execute, checked, ports, mode)
        summary = trace.stage(
            "summarize", summarize, question, candidate, outcome, ports, wanted=summary_by_model
        )  # fmt: skip
    except Refused as refused:
        return _refused(so_far, refused, trace)
    return dataclasses.replace(
        so_far, columns=outcome.columns, rows=outcome.rows, truncated=outcome.truncated, plan=outcome.plan,
        sentence=summary.sentence, degraded=bool(candidate.degraded or summary.notes),
        notes=(*_notes(question, candidate), *summary.notes), stages=trace.records,
    )  # fmt: skip


def write(text: str, ports: Ports) -> Answer:
    """The first four stages: the query that would answer, or the refusal. Nothing runs."""
    trace = Trace(ports)
    so_far = Answer(text, mode="explain", category="EXPLAIN")
    try:
        question = trace.stage("normalize", admit, text)
        candidate = trace.stage("catalogue", look_up, question) or trace.stage("generate", generate, question, ports)
        so_far = _with_candidate(so_far, candidate)
        trace.stage("validate", validate, candidate, ports)
    except Refused as refused:
        return _refused(so_far, refused, trace)
    sentence = f"The query would find {candidate.reading}."
    return dataclasses.replace(so_far, sentence=sentence, notes=_notes(question, candidate), stages=trace.records)


def _with_candidate(so_far: Answer, candidate: Candidate) -> Answer:
    return dataclasses.replace(
        so_far, cypher=candidate.cypher, parameters=candidate.parameters, source=candidate.source,
        reading=candidate.reading, degraded=bool(candidate.degraded),
    )  # fmt: skip


def _refused(so_far: Answer, refused: Refused, trace: "Trace") -> Answer:
    refusal = refused.refusal
    wished = refusal.stage == "normalize" and refusal.layer == "read-only"
    return dataclasses.replace(
        so_far, category="DANGEROUS" if wished else so_far.category, refused=True, refusal=refusal,
        sentence=f"{refusal.reason} {refusal.hint}".strip(), stages=trace.records,
    )  # fmt: skip


def _notes(question: Question, candidate: Candidate) -> tuple[str, ...]:
    corrections = tuple(f"'{written}' was read as '{read}'." for written, read in question.corrections)
    return (*corrections, candidate.degraded) if candidate.degraded else corrections


class Trace:
    """Records what goes into each stage, what comes out, and how long it took."""

    def __init__(self, ports: Ports) -> None:
        self._clock_ms = ports.clock_ms
        self._records: list[StageRecord] = []

    @property
    def records(self) -> tuple[StageRecord, ...]:
        return tuple(self._records)

    def stage(self, name: StageName, work: Callable[..., T], *given: Any, **how: Any) -> T:
        """The stage's result; its record is kept whether it succeeds, refuses or fails."""
        came_in = {"of": [_plain(one) for one in given if not isinstance(one, Ports)], **how}
        started = self._clock_ms()
        came_out: Any = {"failed": True}
        try:
            result = work(*given, **how)
            came_out = _plain(result)
            return result
        except Refused as refused:
            came_out = {"refused": _plain(refused.refusal)}
            raise
        finally:
            shown = came_out if isinstance(came_out, dict) else {"is": came_out}
            self._records.append(StageRecord(name, came_in, shown, round(self._clock_ms() - started, 3)))


def _plain(value: Any) -> Any:
    """As JSON has it; rows and long texts cut."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        kept = [_plain(one) for one in value[:TRACED_ROWS]]
        return [*kept, f"and {len(value) - TRACED_ROWS} more"] if len(value) > TRACED_ROWS else kept
    if isinstance(value, str):
        return value if len(value) <= TRACED_CHARS else f"{value[:TRACED_CHARS]}…"
    return value if isinstance(value, int | float | bool) or value is None else str(value)
