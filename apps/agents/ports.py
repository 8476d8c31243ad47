"""The ports of a run's phases: the gateway, the graph and the tools, each call on the run's tape and in its budgets."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from django.conf import settings

from apps.agents import graph_door, run_tools
from apps.agents.budgets import RunMeter, exhausted_by, gateway_budget
from apps.agents.metering import Meter
from apps.agents.model_answers import from_json, request_json, to_json
from apps.agents.tape import DatabaseTape, Said, Tape
from apps.agents.types import Ports, RunView, ToolAnswer
from apps.graph.asking import OnBehalf
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.llm import gateway
from apps.llm.errors import BudgetSpent, CompletionCancelled, CompletionError
from apps.llm.types import CompletionRequest, CompletionResult, Message, ToolSpec
from apps.tenancy.resolver import tenant_config
from kernel.errors import PlatformError, UnavailableError
from kernel.pii.document import scrub_json
from kernel.pii.keys import digest_key
from kernel.pii.stream import StreamScrubber
from kernel.pii.text import Mode

CALL_S = 120.0  # most that one call of a model may take
EXACT = frozenset({"classify", "plan", "reflect"})  # purposes for which a model is asked without chance
Say = Callable[[str], None]


class ModelFailed(CompletionError):
    """No answer of a model, as the tape remembers it; ``code`` is the failure's own."""


class Teller:
    """The answer's listener, who hears no personal data however the text comes: whole, or piece by piece to its end."""

    def __init__(self, say: Say, scrubber: StreamScrubber) -> None:
        self._say, self._scrubber = say, scrubber

    def __call__(self, text: str) -> None:
        """A whole text."""
        self.piece(text)
        self.end("")

    def piece(self, text: str) -> None:
        if clean := self._scrubber.feed(text):
            self._say(clean)

    def end(self, rest: str) -> None:
        """The text's last piece, which may be empty."""
        if clean := self._scrubber.feed(rest) + self._scrubber.flush():
            self._say(clean)


class Doors(Protocol):
    """What is outside. One implementation asks; the other, in replays, has nobody to ask."""

    def complete(self, request: CompletionRequest, say: Say | None) -> CompletionResult: ...
    def ask_graph(
        self, principal: Principal, question: str, *, explain: bool, model: str | None, behalf: OnBehalf
    ) -> dict[str, Any]: ...
    def invoke(self, caller: run_tools.Caller, name: str, arguments: Mapping[str, Any]) -> ToolAnswer: ...


class RealDoors:
    """The gateway, the graph, the tools."""

    def complete(self, request: CompletionRequest, say: Say | None) -> CompletionResult:
        if say is None:
            return gateway.complete(request)
        with gateway.stream(request) as pieces:
            for piece in pieces:
                say(piece)
        return pieces.result

    def ask_graph(
        self, principal: Principal, question: str, *, explain: bool, model: str | None, behalf: OnBehalf
    ) -> dict[str, Any]:
        return graph_door.ask(principal, question, explain=explain, model=model, behalf=behalf)

    def invoke(self, caller: run_tools.Caller, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        return run_tools.invoke(caller, name, arguments)


def ports_for(
    view: RunView,
    *,
    place: str,
    principal: Principal,
    deadline_s: float,
    report: Callable[[str, str], None],
    say: Say,
    checkpoint: Callable[[], None],
    cancelled: Callable[[], bool] | None = None,
) -> Ports:
    """The ports of one place of a run: ``classify``, ``plan``, ``step 3``, ``finalize``.

    ``deadline_s``: seconds that its calls have together. ``checkpoint`` raises when the run must stop; ``cancelled``
    says so without raising, and is asked a few times a second while a model is waited for. BudgetExhausted comes out
    of any port; UnavailableError when the books of models cannot be written.
    """
    tape = DatabaseTape(view.run_id, view.tenant_id, place, view.attempt)
    config = tenant_config(view.tenant_id)
    mode: Mode = "mask" if config is None else config.settings.pii_mode
    meter = RunMeter(view.run_id, view.tenant_id, view.budget)
    return build(
        view, principal=principal, tape=tape, doors=RealDoors(), meter=meter, pii_mode=mode, deadline_s=deadline_s,
        report=report, say=say, checkpoint=checkpoint, cancelled=cancelled,
    )  # fmt: skip


def build(
    view: RunView,
    *,
    principal: Principal,
    tape: Tape,
    doors: Doors,
    meter: RunMeter | None,
    pii_mode: Mode,
    deadline_s: float,
    report: Callable[[str, str], None],
    say: Say,
    checkpoint: Callable[[], None],
    cancelled: Callable[[], bool] | None = None,
) -> Ports:
    """Ports out of their parts. ``meter`` None: calls and time are not counted (a replay)."""
    key = digest_key(settings.SECRET_KEY, str(view.tenant_id))
    tools = run_tools.offered(principal, view.intent.category if view.intent else None)
    calls = _Calls(view, principal, tape, doors, meter, deadline_s, checkpoint, cancelled)
    return Ports(
        complete=calls.complete,
        ask_graph=calls.ask_graph,
        invoke_tool=calls.invoke_tool,
        tools=tuple(tool.spec() for tool in tools),
        writes=frozenset(tool.name for tool in tools if tool.effect == "write"),
        report=report,
        say=Teller(say, StreamScrubber(pii_mode, key)),
        checkpoint=checkpoint,
        scrub=lambda value: scrub_json(value, pii_mode, key)[0],
        spent=calls.spent.total,
    )


@dataclass(slots=True)
class _Calls:
    """The calls of one place."""

    view: RunView
    principal: Principal
    tape: Tape
    doors: Doors
    meter: RunMeter | None
    deadline_s: float
    checkpoint: Callable[[], None]
    cancelled: Callable[[], bool] | None
    spent: Meter = field(default_factory=Meter)
    began: float = field(default_factory=time.monotonic)

    def complete(
        self,
        messages: tuple[Message, ...],
        *,
        purpose: str,
        response_schema: dict[str, Any] | None = None,
        tools: tuple[ToolSpec, ...] = (),
        say: Say | None = None,
    ) -> CompletionResult:
        request = CompletionRequest(
            tenant_id=self.view.tenant_id,
            user_sub=self.view.owner_sub,
            messages=messages,
            model=self.view.model or self.view.agent.model,
            tools=tools,
            response_schema=response_schema,
            temperature=0.0 if purpose in EXACT else self._temperature(),
            purpose=purpose,
            run_id=self.view.run_id,
            run_budget=gateway_budget(self.view.budget),
            cancelled=self.cancelled,
        )
        hearer = None if say is None else say if isinstance(say, Teller) else Teller(say, StreamScrubber("off", b""))

        def hear(piece: str) -> None:
            self.checkpoint()
            assert hearer is not None
            hearer.piece(piece)

        def ask(_: str) -> Said:
            self.checkpoint()
            timed = replace(request, deadline_s=self._left_s())
            try:
                result = self.doors.complete(timed, hear if hearer is not None else None)
            except UnavailableError:
                raise  # the books cannot be written: nothing to remember
            except PlatformError as error:
                return Said(error=self._failure(error))
            return Said(to_json(result), None, result.usage.total_tokens, result.cost.nano_usd)

        taken = self.tape.answer("model", request_json(request), ask)
        if taken.error is not None:
            if hearer is not None:
                hearer.end("")
            self.spent.model_failed(purpose, taken)
            raise ModelFailed(taken.error["message"], code=taken.error["code"])
        result = from_json(taken.value)
        self.spent.model_answered(purpose, result, from_tape=taken.from_tape)
        if hearer is not None:
            hearer.end(result.text if taken.from_tape else "")
        return result

    def ask_graph(self, question: str, *, explain: bool = False) -> Mapping[str, Any]:
        model = self.view.model or self.view.agent.model

        if not rbac.may(self.principal, "graph:read"):
            reason = rbac.verdict(self.principal, "graph:read").reason
            return {"error": {"code": "forbidden", "message": f"It needs the permission graph:read. {reason}"}}

        def ask(_: str) -> Said:
            self.checkpoint()
            self._reserve_call()
            heard: list[CompletionResult] = []
            behalf = OnBehalf(
                self.view.run_id, gateway_budget(self.view.budget), self._left_s(), self.cancelled, heard.append
            )
            try:
                answer = self.doors.ask_graph(self.principal, question, explain=explain, model=model, behalf=behalf)
            except PlatformError as error:
                return Said(error=self._failure(error))
            models = [
                {"purpose": "graph", "usage": asdict(result.usage), "nano_usd": result.cost.nano_usd,
                 "instance": result.instance, "provider": result.provider, "latency_ms": result.latency_ms}
                for result in heard
            ]  # fmt: skip
            tokens = sum(result.usage.total_tokens for result in heard)
            value = graph_door.bounded(answer) | {"models": models}
            return Said(value, None, tokens, sum(result.cost.nano_usd for result in heard))

        began = time.monotonic()
        taken = self.tape.answer("graph", {"question": question, "explain": explain, "model": model}, ask)
        self.spent.called("graph.explain" if explain else "graph.ask", taken, began)
        if taken.error is not None:
            return {"error": taken.error}
        self.spent.models_of_graph(taken.value.get("models") or [], from_tape=taken.from_tape)
        return dict(taken.value)

    def invoke_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        allowed = self.view.agent.tools
        if allowed is not None and name not in allowed:
            return _refused("tool_not_allowed", f"This agent may not use the tool {name[:100]!r}.")
        writes = run_tools.effect_of(name) == "write"
        if writes and (self.view.intent is None or self.view.intent.category != "ADMIN"):
            return _refused("not_asked_for", f"Nobody asked for the change that {name} makes.")

        def ask(key: str) -> Said:
            self.checkpoint()
            self._reserve_call()
            answer = self.doors.invoke(run_tools.Caller(self.principal, self.view.session_id, key), name, arguments)
            return Said(answer.result) if answer.ok else Said(error=dict(answer.error or {}))

        began = time.monotonic()
        taken = self.tape.answer("tool", {"tool": name, "arguments": dict(arguments)}, ask, intent=writes)
        self.spent.called(name, taken, began)
        return ToolAnswer(taken.error is None, taken.value, taken.error)

    def _temperature(self) -> float | None:
        return self.view.temperature if self.view.temperature is not None else self.view.agent.temperature

    def _left_s(self) -> float:
        """Seconds that one call may take now."""
        left = self.meter.wall_left_s() if self.meter else None
        bounds = [CALL_S, self.deadline_s - (time.monotonic() - self.began), *([left] if left is not None else [])]
        return max(0.1, min(bounds))

    def _failure(self, error: PlatformError) -> dict[str, Any]:
        """The failure as data; raises where the run itself must stop: cancelled, or its budget used up."""
        if isinstance(error, CompletionCancelled):
            self.checkpoint()
        if isinstance(error, BudgetSpent) and (exhausted := exhausted_by(error, self.view.budget)) is not None:
            raise exhausted from error
        return {"code": error.code, "message": error.detail}

    def _reserve_call(self) -> None:
        if self.meter is not None:
            self.meter.wall_left_s()
            self.meter.reserve_call()


def _refused(code: str, message: str) -> ToolAnswer:
    return ToolAnswer(False, error={"code": code, "message": message})
