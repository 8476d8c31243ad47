"""A run followed again on its tape, without anything outside: the same phases, the same answers, or a miss that says
where the run would now ask something else.

    >>> finalize(view, replay_ports(view, entries, place="finalize"))
"""

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.agents.phases.rights import principal_of
from apps.agents.sessions.memory import Ask
from apps.agents.thinking.offering import offered_by_code
from apps.agents.thinking.ports import build
from apps.agents.thinking.tape import Taken, request_hash
from apps.agents.thinking.telling import Say
from apps.agents.types import Ports, RunView, ToolAnswer
from apps.graph.asking import OnBehalf
from apps.identity.principal import Principal
from apps.llm.types import CompletionRequest, CompletionResult, Message
from apps.tools.calls import Call
from kernel.pii.text import Mode

DIFF_LINES = 60


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer of a tape, in the order in which the run asked."""

    place: str
    kind: str
    request_hash: str
    occurrence: int
    request: Mapping[str, Any]
    answer: Mapping[str, Any] | None


class ReplayMiss(AssertionError):
    """The run asks what its tape does not hold. ``place`` is where, ``difference`` what has changed in the request."""

    def __init__(self, place: str, kind: str, difference: str) -> None:
        super().__init__(f"{place}: the tape has no answer to this request of kind {kind!r}.\n{difference}")
        self.place, self.kind, self.difference = place, kind, difference


@dataclass(slots=True)
class ReplayTape:
    """The tape of one place. Nothing is ever asked."""

    place: str
    entries: tuple[Entry, ...]
    _counts: dict[str, int] = field(default_factory=dict)
    _used: int = 0

    def answer(
        self, kind: str, request: dict[str, Any], ask: object, *, intent: bool = False, reserve: object = None
    ) -> Taken:
        digest = request_hash(self.place, kind, request)
        occurrence = self._counts.get(digest, 0)
        self._counts[digest] = occurrence + 1
        self._used += 1
        for entry in self.entries:
            if (entry.request_hash, entry.occurrence) == (digest, occurrence) and entry.answer is not None:
                return Taken(entry.answer.get("value"), entry.answer.get("error"), True)
        raise ReplayMiss(self.place, kind, self._difference(kind, request))

    def _difference(self, kind: str, request: dict[str, Any]) -> str:
        """Against what was asked here at this point, or last."""
        recorded = self.entries[self._used - 1 : self._used] or self.entries[-1:]
        if not recorded:
            return f"Nothing was asked here. Now: {_pretty(request)[0][:500]}"
        lines = difflib.unified_diff(
            _pretty(recorded[0].request),
            _pretty(request),
            f"recorded ({recorded[0].kind})",
            f"now ({kind})",
            lineterm="",
            n=1,
        )
        return "\n".join(line for line, _ in zip(lines, range(DIFF_LINES), strict=False))


class NobodyToAsk:
    """The doors of a replay: the tape answers, or there is a miss before a door is reached."""

    def complete(self, request: CompletionRequest, say: Say | None) -> CompletionResult:
        raise AssertionError("a replay asked a model")

    def ask_graph(
        self, principal: Principal, question: str, *, explain: bool, model: str | None, behalf: OnBehalf
    ) -> dict[str, Any]:
        raise AssertionError("a replay asked the graph")

    def invoke(self, call: Call) -> ToolAnswer:
        raise AssertionError("a replay called a tool")

    def remember(self, view: RunView, ask: Ask) -> tuple[Message, ...]:
        raise AssertionError("a replay read a session")


def replay_ports(
    view: RunView, entries: Iterable[Entry], *, place: str, pii_mode: Mode = "mask", say: Say | None = None
) -> Ports:
    """Ports that answer from a tape alone."""
    told = tuple(entry for entry in entries if entry.place == place)
    principal = principal_of(view)
    return build(
        view, principal=principal, offer=offered_by_code(principal, view), tape=ReplayTape(place, told),
        doors=NobodyToAsk(), meter=None,
        pii_mode=pii_mode, deadline_s=60.0, report=_ignore, say=say or _ignore, checkpoint=_ignore,
    )  # fmt: skip


def _pretty(request: Mapping[str, Any]) -> list[str]:
    """One line for each value; texts in lines of their own, so that a difference shows where it is."""
    text = json.dumps(request, indent=1, sort_keys=True, ensure_ascii=False, default=str)
    return text.replace("\\n", "\n").splitlines()


def _ignore(*_: object) -> None:
    pass
