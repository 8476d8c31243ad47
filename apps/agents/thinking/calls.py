"""The calls of one place of a run: each on the tape and within the budgets, with failures as data."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from apps.agents.phases import links
from apps.agents.phases.links import LinkGuard
from apps.agents.thinking import graph_door
from apps.agents.thinking.budgets import RunMeter, exhausted_by, gateway_budget
from apps.agents.thinking.doors import Doors
from apps.agents.thinking.metering import Meter
from apps.agents.thinking.model_answers import from_json, request_json, to_json
from apps.agents.thinking.offering import Offer, changes
from apps.agents.thinking.tape import Said, Tape
from apps.agents.thinking.telling import Say, Teller
from apps.agents.types import RunView, ToolAnswer
from apps.graph.asking import OnBehalf
from apps.graph.errors import QueryCancelledError
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.llm.errors import BudgetSpent, CompletionCancelled, CompletionError
from apps.llm.types import CompletionRequest, CompletionResult, Message, ToolSpec
from apps.tools.calls import Call
from apps.tools.context import never
from kernel.errors import PlatformError, UnavailableError
from kernel.pii.stream import StreamScrubber

CALL_S = 120.0  # most that one call of a model may take
EXACT = frozenset(
    {"classify", "plan", "reflect", "rewrite", "summarize"}
)  # purposes for which a model is asked without chance


class ModelFailed(CompletionError):
    """No answer of a model, as the tape remembers it; ``code`` is the failure's own."""


@dataclass(slots=True)
class Calls:
    """The calls of one place."""

    view: RunView
    principal: Principal
    offer: Offer
    tape: Tape
    doors: Doors
    meter: RunMeter | None
    deadline_s: float
    checkpoint: Callable[[], None]
    cancelled: Callable[[], bool] | None
    link_hosts: frozenset[str] = frozenset()
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
        hearer = None if say is None else say if isinstance(say, Teller) else self._plain_teller(say)

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
            except CompletionError as error:
                spent = {"tokens": error.tokens, "nano_usd": error.nano_usd}
                said = self._failure(error) | ({"spent": spent} if error.tokens else {})
                return Said(None, said, error.tokens, error.nano_usd)
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
        asked = {"question": question, "explain": explain, "model": model}
        taken = self.tape.answer("graph", asked, ask, reserve=self._reserve_call)
        self.spent.called("graph.explain" if explain else "graph.ask", taken, began)
        if taken.error is not None:
            return {"error": taken.error}
        self.spent.models_of_graph(taken.value.get("models") or [], from_tape=taken.from_tape)
        return dict(taken.value)

    def invoke_tool(self, name: str, arguments: Mapping[str, Any], *, tainted: bool) -> ToolAnswer:
        refusal = self.offer.refusal(name, arguments) or self._leads_out(arguments, tainted=tainted)
        if refusal is not None:
            return refusal
        writes = changes(name, arguments)

        def ask(key: str) -> Said:
            self.checkpoint()
            answer = self.doors.invoke(
                Call(
                    principal=self.principal,
                    name=name,
                    arguments=arguments,
                    door="agent",
                    idempotency_key=key if writes else None,  # what only reads is kept by the tape
                    timeout_s=self._left_s(),
                    read_only=self.offer.category != "ADMIN",
                    tainted=tainted,
                    supersedes=True,
                    run_id=self.view.run_id,
                    session_id=self.view.session_id,
                    cancelled=self.cancelled or never,
                )
            )
            if (answer.error or {}).get("code") == "tool_cancelled":
                self.checkpoint()
            return Said(answer.result) if answer.ok else Said(error=dict(answer.error or {}))

        began = time.monotonic()
        asked = {"tool": name, "arguments": dict(arguments)}
        taken = self.tape.answer("tool", asked, ask, intent=writes, reserve=self._reserve_call)
        self.spent.called(name, taken, began)
        return ToolAnswer(taken.error is None, taken.value, taken.error)

    def _leads_out(self, arguments: Mapping[str, Any], *, tainted: bool) -> ToolAnswer | None:
        """The refusal of a call that data may have wished, with an address that nobody named (attack 104)."""
        known = links.hosts_of(self.view.prompt) | self.link_hosts
        foreign = links.foreign_address(arguments, known) if tainted else None
        if foreign is None:
            return None
        return _refused("address_not_allowed", f"Neither the request nor the platform names the address {foreign!r}.")

    def history(self) -> tuple[Message, ...]:
        if self.view.session_id is None or self.view.history:
            return self.view.history

        def ask(_: str) -> Said:
            said = self.doors.remember(self.view, lambda asked: self.complete(asked, purpose="summarize"))
            return Said([{"role": message.role, "content": message.content} for message in said])

        taken = self.tape.answer("session", {"session_id": str(self.view.session_id)}, ask)
        return tuple(Message(**message) for message in taken.value or ())

    def _plain_teller(self, say: Say) -> Teller:
        return Teller(say, StreamScrubber("off", b""), LinkGuard(links.hosts_of(self.view.prompt) | self.link_hosts))

    def _temperature(self) -> float | None:
        return self.view.temperature if self.view.temperature is not None else self.view.agent.temperature

    def _left_s(self) -> float:
        """Seconds that one call may take now."""
        left = self.meter.wall_left_s() if self.meter else None
        bounds = [CALL_S, self.deadline_s - (time.monotonic() - self.began), *([left] if left is not None else [])]
        return max(0.1, min(bounds))

    def _failure(self, error: PlatformError) -> dict[str, Any]:
        """The failure as data; raises what the run itself must hear: cancelled, its budget used up, PostgreSQL away."""
        if isinstance(error, CompletionCancelled | QueryCancelledError):
            self.checkpoint()
        if isinstance(error, BudgetSpent) and (exhausted := exhausted_by(error, self.view.budget)) is not None:
            raise exhausted from error
        if error.code == "database_unavailable":
            raise error
        return {"code": error.code, "message": error.detail}

    def _reserve_call(self, key: str) -> None:
        self.checkpoint()
        if self.meter is not None:
            self.meter.wall_left_s()
            self.meter.reserve_call(key)


def _refused(code: str, message: str) -> ToolAnswer:
    return ToolAnswer(False, error={"code": code, "message": message})
