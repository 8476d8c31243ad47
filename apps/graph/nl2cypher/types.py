"""What the six stages hand on, and what they may call (SPEC 8 step 3)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Mode = Literal["run", "explain"]
Source = Literal["catalogue", "grammar", "model"]
Category = Literal["GRAPH", "EXPLAIN", "DANGEROUS"]
StageName = Literal["normalize", "catalogue", "generate", "validate", "execute", "summarize"]
Value = str | int | float | bool | None | list[Any]
Parameters = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Entity:
    """A part of the question that has a meaning of its own. ``text`` as written, ``value`` as the graph spells it."""

    kind: Literal["label", "property", "value", "number", "year", "date", "quoted", "name", "verb"]
    text: str
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Question:
    """The question, cleaned. ``text`` is what the stages work on; ``corrections`` are (written, read) of typos."""

    original: str
    text: str
    language: Literal["en", "it"]
    entities: tuple[Entity, ...]
    explain_only: bool
    destructive: str
    corrections: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A query that was not looked at by the gate yet. ``reading``: how the question was understood, in words.

    ``counts``: the noun, singular and plural, that the one number of a bare count stands for.
    """

    cypher: str
    parameters: Parameters
    source: Source
    reading: str
    counts: tuple[str, str] | None = None
    entry: str = ""
    degraded: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no answer. ``layer``: which of the gate's six, if it was the gate; ``hint``: what to do instead;
    ``alternative``: a query that may be looked at with EXPLAIN."""

    stage: StageName
    layer: str
    reason: str
    hint: str = ""
    alternative: str = ""
    not_understood: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One stage for the step trace. ``elapsed_ms`` is wall time."""

    stage: StageName
    input: dict[str, Any]
    output: dict[str, Any]
    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the asker gets: the sentence, always with the query, its parameters and the rows it stands on."""

    question: str
    category: Category = "GRAPH"
    mode: Mode = "run"
    cypher: str = ""
    parameters: Parameters = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    truncated: bool = False
    sentence: str = ""
    reading: str = ""
    source: Source | None = None
    degraded: bool = False
    notes: tuple[str, ...] = ()
    plan: str = ""
    refused: bool = False
    refusal: Refusal | None = None
    stages: tuple[StageRecord, ...] = ()


class Checked(Protocol):
    """What the gate lets through: text and parameters are the ones to run, with the tenant bound."""

    @property
    def text(self) -> str: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...


class Fetched(Protocol):
    """Rows as the door gives them, in the order of the columns."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> Sequence[Sequence[Any]]: ...
    @property
    def truncated(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked. ``schema``: the JSON Schema that its answer must fit, or None for prose."""

    purpose: Literal["cypher", "summarize"]
    system: str
    user: str
    turns: tuple[tuple[Literal["assistant", "user"], str], ...] = ()
    schema: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A model's answer: ``data`` where a schema was asked for. ``used_fallback``: another model than asked answered."""

    text: str
    data: Any
    model: str
    used_fallback: bool = False


class ModelFailed(Exception):
    """No model answered; the text says why, in a sentence for the person."""


class Refused(Exception):
    """A stage's verdict that there is no answer. The pipeline turns it into an Answer."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside. ``complete`` is None where no real model is at hand (the demo adapter): then the grammar
    generates and tables become sentences. It raises ModelFailed. ``inspect`` raises Refused with the gate's own words;
    ``read`` and ``explain`` raise the door's errors. ``clock_ms`` only ever goes forward."""

    inspect: Callable[[str, Parameters], Checked]
    read: Callable[[Any], Fetched]
    explain: Callable[[Any], str]
    clock_ms: Callable[[], float]
    complete: Callable[[Prompt], Said] | None = None
