"""What the calls of one place took, for its step's row and the run's metrics (contract 3.4)."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from apps.agents.thinking.tape import Taken
from apps.agents.types import Spent
from apps.llm.types import NANO_USD, CompletionResult


class Meter:
    """Counts calls as they are answered, by the outside or by the tape."""

    def __init__(self) -> None:
        self._tokens = self._cost = 0
        self._used_fallback = False
        self._llm: list[dict[str, Any]] = []
        self._tools: list[dict[str, Any]] = []

    def model_answered(self, purpose: str, result: CompletionResult, *, from_tape: bool) -> None:
        self._tokens += result.usage.total_tokens
        self._cost += result.cost.nano_usd
        self._used_fallback = self._used_fallback or result.used_fallback
        self._llm.append(
            {
                "model": result.instance,
                "provider": result.provider,
                "purpose": purpose,
                "latency_ms": result.latency_ms,
                "success": True,
                "input_tokens": result.usage.input_tokens,
                "output_tokens": result.usage.output_tokens,
                "total_tokens": result.usage.total_tokens,
                "cost_usd": result.cost.nano_usd / NANO_USD,
                "error": None,
                "from_tape": from_tape,
            }
        )

    def model_failed(self, purpose: str, taken: Taken) -> None:
        spent = (taken.error or {}).get("spent") or {"tokens": 0, "nano_usd": 0}
        self._tokens += spent["tokens"]
        self._cost += spent["nano_usd"]
        self._llm.append(
            {"model": None, "provider": None, "purpose": purpose, "latency_ms": None, "success": False,
             "input_tokens": 0, "output_tokens": 0, "total_tokens": spent["tokens"],
             "cost_usd": spent["nano_usd"] / NANO_USD, "error": taken.error,
             "from_tape": taken.from_tape}
        )  # fmt: skip

    def models_of_graph(self, models: Sequence[Mapping[str, Any]], *, from_tape: bool) -> None:
        """Models that were asked on the way to an answer of the graph."""
        for said in models:
            usage = said["usage"]
            tokens = usage["input_tokens"] + usage["output_tokens"]
            self._tokens += tokens
            self._cost += said["nano_usd"]
            self._llm.append(
                {"model": said["instance"], "provider": said["provider"], "purpose": said["purpose"],
                 "latency_ms": said["latency_ms"], "success": True, "input_tokens": usage["input_tokens"],
                 "output_tokens": usage["output_tokens"], "total_tokens": tokens,
                 "cost_usd": said["nano_usd"] / NANO_USD, "error": None, "from_tape": from_tape}
            )  # fmt: skip

    def called(self, name: str, taken: Taken, began: float) -> None:
        """A tool, or the graph, answered; ``began`` by time.monotonic()."""
        said = taken.error
        self._tools.append(
            {
                "name": name,
                "latency_ms": round((time.monotonic() - began) * 1000, 3),
                "success": said is None,
                "error": said,
                "from_tape": taken.from_tape,
            }
        )

    def total(self) -> Spent:
        return Spent(self._tokens, self._cost, self._used_fallback, tuple(self._llm), tuple(self._tools))
