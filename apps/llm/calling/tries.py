"""One provider asked for one answer: its tries, the waits between them, and what it is to be paid for all of them."""

import random
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from django.conf import settings

from apps.llm import circuits
from apps.llm.calling import allowances, observed
from apps.llm.catalogue import InstanceConfig
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.money import tokens
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import ProviderAnswer, ProviderCall
from apps.llm.providers.registry import adapter_for
from apps.llm.resilience import deadline, retry
from apps.llm.types import Attempt, CompletionRequest, Message, Usage

PERMIT_SLACK_S = 5.0
PAUSE_SLICE_S = 0.1
# The provider has read the messages by then, and most want to be paid for that.
MAY_BE_CHARGED = frozenset(
    {
        FailureKind.TIMEOUT,
        FailureKind.INTERRUPTED,
        FailureKind.CANCELLED,
        FailureKind.GARBAGE,
        FailureKind.TOO_LARGE,
    }
)


@dataclass
class Progress:
    """How far one call of the gateway is. ``shown``: the pieces of text that its caller has seen."""

    request: CompletionRequest
    streaming: bool
    began: float = field(default_factory=time.monotonic)
    attempts: list[Attempt] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    first_token_ms: float | None = None

    @property
    def left_s(self) -> float:
        return self.began + self.request.deadline_s - time.monotonic()

    def elapsed_ms(self) -> float:
        return round((time.monotonic() - self.began) * 1000, 3)

    def note(self, instance: InstanceConfig, began_ms: float, failure: ProviderFailure | None) -> None:
        """Add an attempt, made or refused, to the list."""
        attempt = Attempt(
            provider=instance.provider.name,
            instance=instance.name,
            model_id=instance.model_id,
            failure=failure.kind if failure else None,
            detail=failure.detail if failure else "",
            status_code=failure.status_code if failure else None,
            started_ms=began_ms,
            duration_ms=round(self.elapsed_ms() - began_ms, 3),
        )
        self.attempts.append(attempt)
        observed.attempt(instance.provider.type, attempt)


class Bill:
    """What a candidate is to be paid for, over all its tries. ``outcome``: ok, the kind of failure, or error."""

    def __init__(self, tokens_in: int) -> None:
        self.tokens_in = tokens_in
        self.usage = Usage()
        self.outcome = "error"

    def add(self, usage: Usage) -> None:
        self.usage += usage

    def add_failed(self, kind: FailureKind, shown: list[str]) -> None:
        """A try that gave no answer, but may have to be paid: estimated, because nobody says."""
        if kind in MAY_BE_CHARGED:
            self.add(Usage(self.tokens_in, tokens.of_text("".join(shown)), is_estimated=True))


class Tries:
    """``answer`` asks until there is a whole answer, or a failure that waiting does not mend."""

    def __init__(self, progress: Progress, instance: InstanceConfig, *, most: int, followers: int, bill: Bill) -> None:
        self.progress, self.instance, self.bill = progress, instance, bill
        self.most, self.followers = most, followers  # tokens of the answer; candidates that could stand in

    def answer(self, messages: tuple[Message, ...]) -> Generator[str, None, ProviderAnswer]:
        """ProviderFailure of the last try."""
        provider, tries = self.instance.provider, 0
        allowances.called(provider.id)
        while True:
            tries += 1
            try:
                return (yield from self._try(messages))
            except ProviderFailure as failure:
                if self.progress.shown:
                    raise
                wait_s = retry.next_wait_s(
                    failure,
                    tries=tries,
                    max_retries=provider.max_retries,
                    left_s=self.progress.left_s,
                    chance=random.random(),
                    rules=retry.RetryRules(base_s=settings.LLM_RETRY_BASE_S, cap_s=settings.LLM_RETRY_CAP_S),
                )
                if wait_s is None or not allowances.may_retry(provider.id):
                    raise
                self._pause(wait_s)

    def _try(self, messages: tuple[Message, ...]) -> Generator[str, None, ProviderAnswer]:
        progress, provider = self.progress, self.instance.provider
        began_ms, outcome = progress.elapsed_ms(), circuits.NEUTRAL
        timeout_s = deadline.try_s(left_s=progress.left_s, provider_s=provider.timeout_s, followers=self.followers)
        try:
            permit = circuits.acquire(provider, hold_s=timeout_s + PERMIT_SLACK_S, cancelled=progress.request.cancelled)
        except ProviderFailure as failure:
            progress.note(self.instance, began_ms, failure)
            raise
        try:
            adapter, call = adapter_for(provider), self._call(messages, timeout_s)
            if progress.streaming:
                answer = yield from self._pieces(adapter.stream(call))
            else:
                answer = adapter.complete(call)
            outcome = circuits.SUCCESS
            self.bill.add(self._used(messages, answer))
            progress.note(self.instance, began_ms, None)
            return answer
        except BaseException as error:
            failed = _failure_of(error)
            if retry.CONSEQUENCES[failed.kind].trips_breaker:
                outcome = circuits.FAILURE
            self.bill.add_failed(failed.kind, progress.shown)
            progress.note(self.instance, began_ms, failed)
            raise
        finally:
            circuits.release(permit, outcome)

    def _call(self, messages: tuple[Message, ...], timeout_s: float) -> ProviderCall:
        request = self.progress.request
        return ProviderCall(
            model_id=self.instance.model_id,
            messages=messages,
            limits=CallLimits.within(
                timeout_s,
                first_byte_s=self.instance.provider.first_byte_timeout_s,
                cancelled=request.cancelled,
            ),
            max_tokens=self.most,
            tools=request.tools,
            tool_choice=request.tool_choice,
            response_schema=request.response_schema,
            temperature=request.temperature,
            stop=request.stop,
            purpose=request.purpose,
            parameters=self.instance.parameters,
        )

    def _pieces(self, incoming: Iterator[str | ProviderAnswer]) -> Generator[str, None, ProviderAnswer]:
        progress = self.progress
        with closing(incoming):  # type: ignore[type-var]  # adapters' streams are generators
            for piece in incoming:
                if isinstance(piece, ProviderAnswer):
                    return piece
                if progress.first_token_ms is None:
                    progress.first_token_ms = progress.elapsed_ms()
                progress.shown.append(piece)
                yield piece
        raise ProviderFailure(FailureKind.INTERRUPTED, "The stream ended without its answer.")

    def _used(self, messages: tuple[Message, ...], answer: ProviderAnswer) -> Usage:
        """What the answer took. What its provider did not count, or counted as nothing although there is something, is
        guessed: else a server that counts nothing would be free of every budget."""
        told = answer.usage or Usage()
        if told.input_tokens and (told.output_tokens or not (answer.text or answer.tool_calls)):
            return told
        said = answer.text + "".join(f"{call.name}{call.arguments}" for call in answer.tool_calls)
        return Usage(
            told.input_tokens or tokens.estimate(messages, self.progress.request.tools),
            told.output_tokens or tokens.of_text(said),
            told.cached_input_tokens,
            is_estimated=True,
        )

    def _pause(self, seconds: float) -> None:
        until, cancelled = time.monotonic() + seconds, self.progress.request.cancelled
        while (left := until - time.monotonic()) > 0:
            if cancelled is not None and cancelled():
                raise ProviderFailure(FailureKind.CANCELLED, "The call was cancelled.")
            time.sleep(min(left, PAUSE_SLICE_S))


def _failure_of(error: BaseException) -> ProviderFailure:
    if isinstance(error, ProviderFailure):
        return error
    if isinstance(error, Exception):
        return ProviderFailure(FailureKind.GARBAGE, "The answer could not be read.")
    return ProviderFailure(FailureKind.CANCELLED, "The reader left.")  # GeneratorExit, a job that is stopped
