"""The course of one call of the gateway: each candidate in turn, until one gives a whole answer."""

from collections.abc import Generator
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import Error as DatabaseError

from apps.llm.calling import afterwards, observed, structured
from apps.llm.calling.candidates import candidates_for
from apps.llm.calling.tries import Bill, Progress, Tries
from apps.llm.catalogue import InstanceConfig
from apps.llm.errors import gave_up
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.money import budgets, pricing, tokens
from apps.llm.providers.base import ProviderAnswer
from apps.llm.resilience.retry import CONSEQUENCES
from apps.llm.types import CompletionRequest, CompletionResult, Cost
from kernel.errors import UnavailableError, ValidationError

log = structlog.get_logger("llm")
SETTLED_WITHIN_S = 0.5  # what calls of this process that have ended still hold
HELD_BEYOND_DEADLINE_S = 30.0  # a call whose process lives has settled by then


class Course:
    """Run once. ``run`` yields pieces of text when streaming, nothing otherwise; then ``result`` is there."""

    def __init__(self, request: CompletionRequest, *, streaming: bool) -> None:
        self.request = request
        self.call_id = uuid4()
        self.progress = Progress(request, streaming)
        self.failures: list[ProviderFailure] = []
        self.lost: list[tuple[int, int]] = []  # tokens and nano-dollars of candidates that gave no answer
        self._result: CompletionResult | None = None

    @property
    def result(self) -> CompletionResult:
        if self._result is None:
            raise RuntimeError("the answer is not whole yet")
        return self._result

    def run(self) -> Generator[str, None, None]:
        """CompletionError when nobody answered; ValidationError, NotFoundError, ConflictError before one is asked."""
        self._check()
        progress = self.progress
        tokens_in = tokens.estimate(self.request.messages, self.request.tools)
        first_choice, chain = candidates_for(self.request, tokens_in)
        status = "cancelled"
        try:
            for position, instance in enumerate(chain):
                followers = len(chain) - position - 1
                try:
                    used_fallback = instance.id != first_choice.id
                    yield from self._ask(instance, tokens_in, followers, used_fallback=used_fallback)
                except ProviderFailure as failure:
                    status = "cancelled" if failure.kind is FailureKind.CANCELLED else "error"
                    self.failures.append(failure)
                    if progress.shown or not CONSEQUENCES[failure.kind].falls_back or progress.left_s <= 0:
                        break
                else:
                    status = "success"
                    return
        finally:
            observed.call(first_choice, progress.attempts, self._result, progress.elapsed_ms(), status=status)
        error = gave_up(self.failures, progress.attempts, call_id=self.call_id, partial="".join(progress.shown))
        error.tokens, error.nano_usd = (sum(column) for column in zip(*self.lost, strict=True)) if self.lost else (0, 0)
        raise error

    def _check(self) -> None:
        if not self.request.messages:
            raise ValidationError("A completion needs at least one message.", code="no_messages")
        if self.request.response_schema is not None:
            try:
                structured.check_schema(self.request.response_schema)
            except ValueError as error:
                raise ValidationError(str(error), code="invalid_schema") from error

    def _ask(
        self, instance: InstanceConfig, tokens_in: int, followers: int, *, used_fallback: bool
    ) -> Generator[str, None, None]:
        """One candidate: its price is held, it is tried, what it cost is settled."""
        request, progress = self.request, self.progress
        price = pricing.price_of(instance)
        room = min(instance.max_output_tokens, max(1, instance.context_window - tokens_in))
        most = min(request.max_tokens or room, room)
        turns = 1 if request.response_schema is None or progress.streaming else 2  # a repair is held for as well
        tries_before, began_ms = len(progress.attempts), progress.elapsed_ms()
        try:
            hold = budgets.reserve(
                request,
                call_id=self.call_id,
                instance=instance,
                price=price,
                tokens_in=tokens_in * turns,
                max_tokens=most * turns,
                expires_in_s=max(0.0, progress.left_s) + HELD_BEYOND_DEADLINE_S,
                used_fallback=used_fallback,
                catch_up=None if afterwards.is_idle() else partial(afterwards.catch_up, SETTLED_WITHIN_S),
            )
        except ProviderFailure as failure:
            progress.note(instance, began_ms, failure)
            raise
        bill = Bill(tokens_in)
        try:
            answer, data = yield from self._answer(Tries(progress, instance, most=most, followers=followers, bill=bill))
            bill.outcome = "ok"
        except ProviderFailure as failure:
            bill.outcome = failure.kind
            raise
        except BaseException as error:
            if not isinstance(error, Exception):
                bill.outcome = FailureKind.CANCELLED
            raise
        finally:
            cost = pricing.cost_of(bill.usage, price)
            if bill.outcome != "ok":
                self.lost.append((bill.usage.total_tokens, cost.nano_usd))
            tries, latency_ms = len(progress.attempts) - tries_before, progress.elapsed_ms()
            afterwards.do(partial(_settle, self.call_id, hold, bill, cost, tries, latency_ms))
        self._result = CompletionResult(
            call_id=self.call_id,
            text=answer.text,
            tool_calls=answer.tool_calls,
            data=data,
            finish_reason=answer.finish_reason,
            usage=bill.usage,
            cost=cost,
            provider_id=instance.provider.id,
            provider=instance.provider.name,
            provider_type=instance.provider.type,
            instance_id=instance.id,
            instance=instance.name,
            model_id=answer.model_id or instance.model_id,
            used_fallback=used_fallback,
            attempts=tuple(progress.attempts),
            latency_ms=progress.elapsed_ms(),
            first_token_ms=progress.first_token_ms,
            budget_warnings=hold.warnings,
        )

    def _answer(self, tries: Tries) -> Generator[str, None, tuple[ProviderAnswer, Any]]:
        """A whole answer and, where a schema is asked for, the value in it; with one repair, but not in a stream."""
        messages, schema = self.request.messages, self.request.response_schema
        answer = yield from tries.answer(messages)
        if schema is None or answer.tool_calls:
            return answer, None
        try:
            return answer, structured.read(answer.text, schema)
        except structured.Misfit as misfit:
            if self.progress.streaming:
                raise ProviderFailure(FailureKind.SCHEMA, f"The answer does not fit the schema. {misfit}") from misfit
            messages = structured.repair_turn(messages, answer.text, misfit)
        answer = yield from tries.answer(messages)
        try:
            return answer, structured.read(answer.text, schema)
        except structured.Misfit as misfit:
            raise ProviderFailure(
                FailureKind.SCHEMA,
                f"{tries.instance.name} gave no answer that fits the schema, even when asked again. {misfit}",
            ) from misfit


def _settle(call_id: UUID, hold: budgets.Hold, bill: Bill, cost: Cost, tries: int, latency_ms: float) -> bool:
    """Whether it is in the books. If it never is, what was held stays held, and counts as spent in the end."""
    try:
        budgets.settle(hold, usage=bill.usage, cost=cost, outcome=bill.outcome, attempts=tries, latency_ms=latency_ms)
    except (DatabaseError, UnavailableError) as error:
        log.warning("llm_call_not_settled", call=str(call_id), error=type(error).__name__)
        return False
    return True
