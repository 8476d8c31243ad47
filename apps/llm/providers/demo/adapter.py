"""The demo provider: an adapter that answers by rules. Deterministic, without network, clock or chance."""

import re
import time
from collections.abc import Iterator

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import ProviderAnswer, ProviderCall, ProviderConfig, PullProgress, RemoteModel
from apps.llm.providers.demo import drills
from apps.llm.providers.demo.answers import answer
from apps.llm.providers.demo.token_count import CHARS_A_TOKEN, call_tokens, input_tokens, text_tokens
from apps.llm.types import FinishReason, Usage

WAIT_STEP_S = 0.02
_PIECE = re.compile(r"\S{1,64}\s{0,64}|\s{1,64}")


class DemoAdapter:
    """Answers every model id of drills.MODEL_IDS. Holds nothing between calls."""

    def __init__(self, config: ProviderConfig) -> None:
        self._config = config

    def complete(self, call: ProviderCall) -> ProviderAnswer:
        """The whole answer in one piece."""
        done = None
        for part in self.stream(call):
            done = part
        assert isinstance(done, ProviderAnswer)
        return done

    def stream(self, call: ProviderCall) -> Iterator[str | ProviderAnswer]:
        """Word by word, and last of all the whole answer. The limits are looked at before each piece."""
        drills.fail_if_asked(call.model_id)
        _check(call.limits)
        if call.model_id == drills.HANGS:
            _wait(call.limits, until=min(call.limits.deadline, call.limits.first_byte_by))
            call.limits.ended_by = "first_byte" if call.limits.left_s > 0 else "deadline"
            raise ProviderFailure(
                FailureKind.TIMEOUT, "The demo model did not answer in time because its id asks for it."
            )
        whole = _whole(call)
        for number, piece in enumerate(_PIECE.findall(whole.text)):
            if call.model_id == drills.SLOW:
                _wait(call.limits, until=time.monotonic() + drills.SLOW_PIECE_S)
            if call.model_id == drills.CUT and number == drills.PIECES_BEFORE_CUT:
                raise drills.cut()
            _check(call.limits)
            yield piece
        if call.model_id == drills.CUT:
            raise drills.cut()
        _check(call.limits)
        yield whole

    def list_models(self, limits: CallLimits) -> list[RemoteModel]:
        """The one model there is; the drills are not listed."""
        _check(limits)
        return [RemoteModel(drills.MODEL, size_bytes=0, is_loaded=True)]

    def warm_up(self, model_id: str, limits: CallLimits) -> None:
        """Always ready; the drills fail as their calls would."""
        _check(limits)
        drills.fail_if_asked(model_id)

    def unload(self, model_id: str, limits: CallLimits) -> None:
        """UNSUPPORTED: it takes no memory of its own."""
        raise ProviderFailure(
            FailureKind.UNSUPPORTED, "The demo provider has its model built in: there is nothing to unload."
        )

    def pull(self, model_id: str, limits: CallLimits) -> Iterator[PullProgress]:
        """UNSUPPORTED: there is nothing to download."""
        raise ProviderFailure(
            FailureKind.UNSUPPORTED, "The demo provider has its model built in: there is nothing to download."
        )

    def close(self) -> None:
        """Nothing is held."""


def _whole(call: ProviderCall) -> ProviderAnswer:
    said = answer(call)
    tokens_in = input_tokens(call.messages, call.tools)
    if said.calls:
        tokens_out = call_tokens(said.calls)
        if tokens_out > call.max_tokens:  # half a call is none
            return ProviderAnswer("", "length", call.model_id, (), Usage(tokens_in, call.max_tokens))
        return ProviderAnswer("", "tool_calls", call.model_id, said.calls, Usage(tokens_in, tokens_out))
    text = said.text
    reason: FinishReason = "stop"
    if text_tokens(text) > call.max_tokens:
        text, reason = text[: call.max_tokens * CHARS_A_TOKEN], "length"
    ends = [at for stop in call.stop if stop and (at := text.find(stop)) >= 0]
    if ends:
        text, reason = text[: min(ends)], "stop"
    return ProviderAnswer(text, reason, call.model_id, (), Usage(tokens_in, text_tokens(text)))


def _check(limits: CallLimits) -> None:
    if limits.cancelled is not None and limits.cancelled():
        limits.ended_by = "cancelled"
        raise ProviderFailure(FailureKind.CANCELLED, "The call was cancelled.")
    if limits.left_s <= 0:
        limits.ended_by = "deadline"
        raise ProviderFailure(FailureKind.TIMEOUT, "The demo model was not done in time.")


def _wait(limits: CallLimits, *, until: float) -> None:
    while (left_s := until - time.monotonic()) > 0:
        time.sleep(min(left_s, WAIT_STEP_S))
        if time.monotonic() < until:
            _check(limits)
