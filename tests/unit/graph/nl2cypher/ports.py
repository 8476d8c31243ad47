"""Ports without a server: the real gate, rows that a test lays, a model that says what a test wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal, Passed
from apps.graph.nl2cypher.types import Parameters, Ports, Prompt, Refusal, Refused, Said


@dataclass(frozen=True)
class Laid:
    """Rows as the door gives them."""

    columns: tuple[str, ...] = ("count",)
    rows: Sequence[Sequence[Any]] = ((42,),)
    truncated: bool = False


class Outside:
    """What the stages called: ``ran`` and ``explained`` are texts, ``prompts`` what a model was asked."""

    def __init__(self, laid: Laid | None = None, model: Callable[[Prompt], Said] | None = None) -> None:
        self.laid = laid or Laid()
        self.ran: list[str] = []
        self.explained: list[str] = []
        self.prompts: list[Prompt] = []
        self._model = model
        ticks = count()
        self.ports = Ports(
            inspect=_inspect,
            read=self._read,
            explain=self._explain,
            clock_ms=lambda: float(next(ticks)),
            complete=self._complete if model is not None else None,
        )

    def _read(self, passed: Passed) -> Laid:
        self.ran.append(passed.text)
        return self.laid

    def _explain(self, passed: Passed) -> str:
        self.explained.append(passed.text)
        return "a plan"

    def _complete(self, prompt: Prompt) -> Said:
        self.prompts.append(prompt)
        assert self._model is not None
        return self._model(prompt)


def _inspect(cypher: str, parameters: Parameters) -> Passed:
    try:
        return inspect(cypher, parameters, tenant_id="tenant-1")
    except GateRefusal as refusal:
        raise Refused(Refusal("validate", refusal.layer, refusal.message, refusal.hint)) from refusal
