"""The gateway over real HTTP, PostgreSQL and Redis: who answers, what it costs, what happens when somebody fails."""

import json
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.llm import catalogue, circuits, errors, gateway
from apps.llm.calling import afterwards
from apps.llm.failures import FailureKind
from apps.llm.models import LlmCall, ModelInstance, Provider
from apps.llm.types import Message, RunBudget, ToolSpec
from devkit.llm_stub import Stub
from devkit.llm_stub_model import Reply
from kernel.errors import ConflictError, NotFoundError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.clients import wait_for
from tests.llm_factories import make_instance, make_provider, make_request

SOON_S = 20.0  # whoever waits for what does not come, waits a minute
LOOK = ToolSpec("look", "Looks something up.", {"type": "object", "properties": {"q": {"type": "string"}}})


@pytest.fixture
def tenant_id(tenant: Any) -> UUID:
    return UUID(str(tenant.id))


@pytest.fixture
def home(tenant_id: UUID, stub: Stub) -> Provider:
    """A provider that does not wait between its tries."""
    return make_provider(tenant_id, f"{stub.url}/v1", priority=1, max_retries=0)


@pytest.fixture
def hasty(tenant_id: UUID, stub: Stub) -> Provider:
    """One like it that waits a second for the first byte of an answer."""
    return make_provider(tenant_id, f"{stub.url}/v1", priority=1, max_retries=0, first_byte_timeout_s=1)


@pytest.fixture
def spare(tenant_id: UUID, stub: Stub) -> ModelInstance:
    """A model elsewhere that always answers."""
    return make_instance(make_provider(tenant_id, stub.url, type="ollama", priority=2), "echo", instance_name="spare")


def booked(tenant_id: UUID) -> list[LlmCall]:
    """The tenant's books, oldest first, once they are settled."""
    assert afterwards.finish()
    with tenant_scope(tenant_id):
        return list(LlmCall.objects.order_by("started_at"))


def kinds(error: errors.CompletionError) -> list[FailureKind | None]:
    return [attempt.failure for attempt in error.attempts]


@pytest.mark.parametrize("told", [None, {"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": 9.0}])
@pytest.mark.requirement("llm:gateway-answer")
def test_what_a_provider_does_not_count_is_guessed_and_paid_for(
    home: Provider, tenant_id: UUID, stub: Stub, told: dict[str, Any] | None
) -> None:
    answer = {"choices": [{"message": {"content": "some words"}, "finish_reason": "stop"}], "usage": told}
    stub.scripted["uncounted"] = Reply(raw=json.dumps(answer).encode())
    make_instance(home, "uncounted", instance_name="m", input_nano_usd=1000, output_nano_usd=1000)

    result = gateway.complete(make_request(tenant_id, model="m"))
    (row,) = booked(tenant_id)

    assert result.usage.is_estimated
    assert min(row.input_tokens, row.output_tokens) > 0
    assert row.nano_usd == 1000 * result.usage.total_tokens


@pytest.mark.requirement("llm:gateway-answer")
def test_an_answer_says_who_gave_it_and_what_it_cost(home: Provider, tenant_id: UUID) -> None:
    make_instance(home, "echo", instance_name="m", input_nano_usd=1000, output_nano_usd=2000)

    result = gateway.complete(make_request(tenant_id, "Hello there", model="m", purpose="chat"))
    (row,) = booked(tenant_id)

    assert (result.text, result.provider, result.instance, result.model_id) == (
        "You said: Hello there", home.name, "m", "echo",
    )  # fmt: skip
    assert (result.usage.input_tokens, result.usage.output_tokens) == (2, 4)
    assert (result.cost.nano_usd, result.cost.priced_by) == (2 * 1000 + 4 * 2000, "instance")
    assert (result.used_fallback, [attempt.failure for attempt in result.attempts]) == (False, [None])
    assert (row.call_id, row.state, row.outcome) == (result.call_id, "settled", "ok")
    assert (row.nano_usd, row.input_tokens, row.output_tokens, row.model_id) == (10_000, 2, 4, "echo")


@pytest.mark.requirement("llm:gateway-answer")
def test_tools_are_called_through_the_gateway(home: Provider, tenant_id: UUID) -> None:
    make_instance(home, "tool", instance_name="m")

    result = gateway.complete(make_request(tenant_id, "BRCA1", model="m", tools=(LOOK,)))

    assert (result.finish_reason, result.tool_calls[0].arguments) == ("tool_calls", {"q": "BRCA1"})


@pytest.mark.requirement("llm:gateway-stream")
def test_a_stream_gives_pieces_and_then_the_whole(home: Provider, tenant_id: UUID) -> None:
    make_instance(home, "drip-0.02", instance_name="m")

    with gateway.stream(make_request(tenant_id, "Hello", model="m")) as stream:
        with pytest.raises(RuntimeError):
            _ = stream.result
        pieces = list(stream)

    assert "".join(pieces) == stream.result.text == "You said: Hello"
    assert stream.result.first_token_ms is not None
    assert stream.result.first_token_ms < stream.result.latency_ms


@pytest.mark.parametrize(
    "model", ["fail-500", "fail-429-after-60", "cut-0", "html", "context", "fail-401", "missing", "slow-first-60"]
)
@pytest.mark.requirement("llm:gateway-fallback")
def test_another_model_stands_in(
    home: Provider, hasty: Provider, spare: ModelInstance, tenant_id: UUID, model: str
) -> None:
    make_instance(hasty if model.startswith("slow") else home, model, instance_name="m")

    result = gateway.complete(make_request(tenant_id, model="m"))

    assert (result.instance, result.provider_type, result.used_fallback) == ("spare", "ollama", True)
    assert [attempt.instance for attempt in result.attempts] == ["m", "spare"]
    assert result.attempts[0].failure is not None
    assert [row.used_fallback for row in booked(tenant_id)] == [False, True]


@pytest.mark.requirement("llm:gateway-fallback")
def test_falling_back_costs_next_to_nothing_beyond_the_failed_attempt(
    home: Provider, spare: ModelInstance, tenant_id: UUID, settings: Any
) -> None:
    settings.LLM_RETRY_BASE_S = settings.LLM_RETRY_CAP_S = 4 * SOON_S  # what a pause would take
    make_instance(home, "fail-500", instance_name="m")

    results = [gateway.complete(make_request(tenant_id, model="m")) for _ in range(4)]  # a fifth would open the circuit

    assert [[attempt.instance for attempt in result.attempts] for result in results] == [["m", "spare"]] * 4
    lost_ms = [result.latency_ms - sum(attempt.duration_ms for attempt in result.attempts) for result in results]
    assert max(lost_ms) < SOON_S * 1000


@pytest.mark.requirement("llm:gateway-fallback")
def test_with_the_circuit_open_the_first_choice_is_not_even_asked(
    home: Provider, spare: ModelInstance, tenant_id: UUID, stub: Stub
) -> None:
    make_instance(home, "fail-503", instance_name="m")
    for _ in range(5):
        gateway.complete(make_request(tenant_id, model="m"))
    asked = stub.seen.by_model["fail-503"]

    result = gateway.complete(make_request(tenant_id, model="m"))

    assert circuits.view(home.id).state == "OPEN"
    assert stub.seen.by_model["fail-503"] == asked
    assert (result.instance, result.attempts[0].failure) == ("spare", FailureKind.CIRCUIT_OPEN)


@pytest.mark.requirement("llm:gateway-fallback")
def test_a_model_that_a_budget_cannot_pay_gives_way_to_one_that_it_can(
    home: Provider, spare: ModelInstance, tenant_id: UUID
) -> None:
    make_instance(home, "echo", instance_name="dear", input_nano_usd=10**9, output_nano_usd=10**9)
    budget = RunBudget(nano_usd=5 * 10**8)

    result = gateway.complete(make_request(tenant_id, model="dear", run_id=uuid4(), run_budget=budget))
    with pytest.raises(errors.BudgetSpent) as refused:
        gateway.complete(make_request(tenant_id, model="dear", run_id=uuid4(), run_budget=budget, fallbacks=()))

    assert (result.instance, result.attempts[0].failure) == ("spare", FailureKind.BUDGET)
    assert (refused.value.http_status, refused.value.code) == (429, "llm_budget_spent")


@pytest.mark.requirement("llm:gateway-fallback")
def test_a_request_that_would_fail_anywhere_is_asked_once(
    home: Provider, spare: ModelInstance, tenant_id: UUID
) -> None:
    make_instance(home, "fail-400", instance_name="m")

    with pytest.raises(errors.CompletionRefused) as refused:
        gateway.complete(make_request(tenant_id, model="m"))

    assert kinds(refused.value) == [FailureKind.BAD_REQUEST]


@pytest.mark.requirement("llm:gateway-retries")
def test_a_provider_that_fails_for_a_moment_is_asked_again(tenant_id: UUID, stub: Stub, settings: Any) -> None:
    settings.LLM_RETRY_BASE_S = 0.01
    patient = make_provider(tenant_id, f"{stub.url}/v1", max_retries=2)
    make_instance(patient, f"fail-500-times-{2}", instance_name="m")

    result = gateway.complete(make_request(tenant_id, "Hello", model="m"))

    assert [attempt.failure for attempt in result.attempts] == [FailureKind.SERVER, FailureKind.SERVER, None]
    assert (result.text, result.used_fallback) == ("You said: Hello", False)


@pytest.mark.requirement("llm:gateway-retries")
def test_what_a_provider_asks_for_with_retry_after_is_waited_for(tenant_id: UUID, stub: Stub) -> None:
    patient = make_provider(tenant_id, f"{stub.url}/v1", max_retries=1)
    make_instance(patient, "fail-429-after-1-times-1", instance_name="m")

    result = gateway.complete(make_request(tenant_id, model="m"))

    assert result.attempts[1].started_ms >= 1000


@pytest.mark.requirement("llm:gateway-no-storm")
def test_with_everybody_down_there_are_few_calls_and_a_clear_error(tenant_id: UUID, stub: Stub, settings: Any) -> None:
    settings.LLM_RETRY_BASE_S, settings.LLM_BREAKER_FAILURES = 0.001, 1000
    for number in range(2):
        provider = make_provider(tenant_id, f"{stub.url}/v1", max_retries=3, priority=number)
        make_instance(provider, f"fail-52{number}", instance_name=f"m{number}")

    for _ in range(60):
        with pytest.raises(errors.CompletionError) as nobody:
            gateway.complete(make_request(tenant_id, model="m0"))
    asked = [stub.seen.by_model[f"fail-52{number}"] for number in range(2)]

    assert all(60 <= times <= 60 * 1.1 + settings.LLM_RETRY_SPARE for times in asked)
    assert (nobody.value.http_status, nobody.value.code, nobody.value.retryable) == (503, "llm_unavailable", True)
    assert nobody.value.extra["llm_error_type"] == "connection"
    assert {attempt["instance"] for attempt in nobody.value.extra["attempts"]} == {"m0", "m1"}


@pytest.mark.requirement("llm:gateway-no-half-answer")
def test_a_stream_that_is_cut_is_an_error_and_nobody_else_goes_on_with_it(
    home: Provider, spare: ModelInstance, tenant_id: UUID
) -> None:
    make_instance(home, "cut-1", instance_name="m")
    seen = []

    with pytest.raises(errors.StreamBroken) as broken, gateway.stream(make_request(tenant_id, model="m")) as stream:
        for piece in stream:
            seen.append(piece)

    assert broken.value.partial == "".join(seen) != ""
    assert kinds(broken.value) == [FailureKind.INTERRUPTED]
    (row,) = booked(tenant_id)
    assert (row.outcome, row.is_estimated, row.output_tokens > 0) == ("interrupted", True, True)


@pytest.mark.requirement("llm:gateway-fallback")
def test_before_its_first_piece_a_stream_may_come_from_another(
    home: Provider, spare: ModelInstance, tenant_id: UUID
) -> None:
    make_instance(home, "cut-0", instance_name="m")

    with gateway.stream(make_request(tenant_id, "Hello", model="m")) as stream:
        assert "".join(stream) == "You said: Hello"

    assert stream.result.used_fallback


@pytest.mark.requirement("llm:gateway-cancel")
def test_who_leaves_a_stream_frees_its_slot_and_pays_for_what_came(home: Provider, tenant_id: UUID, stub: Stub) -> None:
    make_instance(home, "drip-0.05", instance_name="m")
    before = stub.seen.closed_early

    with gateway.stream(make_request(tenant_id, model="m")) as stream:
        next(iter(stream))
        assert circuits.view(home.id).under_way == 1

    wait_for(lambda: stub.seen.closed_early > before, what="the server seeing the connection close")
    (row,) = booked(tenant_id)
    assert circuits.view(home.id).under_way == 0
    assert (row.state, row.outcome, row.output_tokens > 0, row.held_tokens) == (
        "settled",
        "cancelled",
        True,
        row.held_tokens,
    )


@pytest.mark.requirement("llm:gateway-cancel")
def test_a_cancelled_call_ends_at_once_and_nobody_else_is_asked(
    home: Provider, spare: ModelInstance, tenant_id: UUID
) -> None:
    make_instance(home, "slow-first-60", instance_name="m")
    began = time.monotonic()

    with pytest.raises(errors.CompletionCancelled):
        gateway.complete(make_request(tenant_id, model="m", cancelled=lambda: time.monotonic() > began + 0.1))

    assert time.monotonic() - began < SOON_S


@pytest.mark.requirement("llm:gateway-deadline")
def test_the_deadline_holds_whoever_is_slow_and_leaves_the_next_a_chance(
    home: Provider, spare: ModelInstance, tenant_id: UUID
) -> None:
    make_instance(home, "slow-first-60", instance_name="m")
    slow = make_instance(home, "drip-60", instance_name="slow")

    result = gateway.complete(make_request(tenant_id, model="m", deadline_s=2.5, fallbacks=("spare",)))
    began = time.monotonic()
    with pytest.raises(errors.CompletionTimeout) as late:
        gateway.complete(make_request(tenant_id, model=str(slow.id), deadline_s=0.3, fallbacks=("m",)))

    assert (result.instance, result.attempts[0].failure) == ("spare", FailureKind.TIMEOUT)
    assert time.monotonic() - began < SOON_S
    assert late.value.http_status == 504


@pytest.mark.requirement("llm:structured")
def test_an_answer_that_does_not_fit_is_repaired_once(home: Provider, tenant_id: UUID) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    make_instance(home, 'repair:{"a": 1}', instance_name="mends")
    make_instance(home, "say:never", instance_name="never")

    mended = gateway.complete(make_request(tenant_id, model="mends", response_schema=schema, fallbacks=()))
    with pytest.raises(errors.CompletionError) as misfit:
        gateway.complete(make_request(tenant_id, model="never", response_schema=schema, fallbacks=()))

    assert mended.data == {"a": 1}
    assert (len(mended.attempts), mended.usage.input_tokens > 4) == (2, True)
    assert misfit.value.kind is FailureKind.SCHEMA
    assert (misfit.value.http_status, misfit.value.code, misfit.value.retryable) == (422, "llm_answer_misfit", False)
    with pytest.raises(ValidationError):
        gateway.complete(make_request(tenant_id, model="mends", response_schema={"type": "nonsense"}))


@pytest.mark.requirement("llm:structured")
def test_a_stream_that_does_not_fit_is_an_error_and_held_no_repair(home: Provider, tenant_id: UUID) -> None:
    make_instance(home, "say:never", instance_name="never")
    asked = make_request(tenant_id, model="never", response_schema={"type": "object"}, max_tokens=100, fallbacks=())

    with pytest.raises(errors.AnswerMisfit) as misfit, gateway.stream(asked) as stream:
        list(stream)
    (row,) = booked(tenant_id)

    assert misfit.value.partial == "never"
    assert (row.outcome, row.held_output_tokens, row.output_tokens > 0) == ("schema", 100, True)


@pytest.mark.parametrize(
    ("model", "code", "advice"),
    [
        ("fail-401", "llm_provider_misconfigured", "Its administrator has to look at its key"),
        ("missing", "llm_provider_misconfigured", "Its administrator has to correct the model's name"),
        ("fail-400", "llm_request_refused", "Change the request."),
        ("context", "context_length_exceeded", "Shorten the messages"),
        ("html", "llm_unavailable", "Try again in a moment, or ask another model."),
    ],
)
@pytest.mark.requirement("llm:gateway-answer")
def test_an_error_says_whose_it_is_and_what_helps(
    home: Provider, tenant_id: UUID, model: str, code: str, advice: str
) -> None:
    make_instance(home, model, instance_name="m")

    with pytest.raises(errors.CompletionError) as nobody:
        gateway.complete(make_request(tenant_id, model="m", fallbacks=()))

    assert nobody.value.code == code
    assert nobody.value.detail.startswith(f"{home.name} gave no answer. ")
    assert nobody.value.detail.endswith(".") and advice in nobody.value.detail
    assert nobody.value.retryable is (code == "llm_unavailable")


@pytest.mark.requirement("llm:wire-request")
def test_no_request_asks_for_a_longer_answer_than_the_model_gives(home: Provider, tenant_id: UUID, stub: Stub) -> None:
    make_instance(home, "echo", instance_name="m", max_output_tokens=30)
    asked = []

    for wanted in (1000, 20, None):
        gateway.complete(make_request(tenant_id, model="m", max_tokens=wanted))
        asked.append(stub.seen.last_body["max_tokens"])

    assert asked == [30, 20, 30]


@pytest.mark.requirement("llm:gateway-needs")
def test_only_models_that_can_do_it_are_asked(home: Provider, spare: ModelInstance, tenant_id: UUID) -> None:
    make_instance(home, "echo", instance_name="small", context_window=1024)
    make_instance(home, "echo", instance_name="off", enabled=False)
    long = "word " * 3000

    result = gateway.complete(make_request(tenant_id, long, model="small"))
    with pytest.raises(errors.ContextTooLong, match="small: takes 1024 tokens"):
        gateway.complete(make_request(tenant_id, long, model="small", fallbacks=()))
    with pytest.raises(ConflictError, match="disabled"):
        gateway.complete(make_request(tenant_id, model="off", fallbacks=()))
    with pytest.raises(NotFoundError, match="no model"):
        gateway.complete(make_request(tenant_id, model="unheard-of"))

    assert (result.instance, result.used_fallback) == ("spare", True)


@pytest.mark.requirement("llm:gateway-live-registry")
def test_a_change_of_the_registry_bites_without_a_restart(home: Provider, tenant_id: UUID, stub: Stub) -> None:
    instance = make_instance(home, "echo", instance_name="m")
    gateway.complete(make_request(tenant_id, model="m"))

    with tenant_scope(tenant_id):
        ModelInstance.objects.filter(id=instance.id).update(model_id="say:changed")

    wait_for(
        lambda: gateway.complete(make_request(tenant_id, model="m")).text == "changed",
        what="the change reaching the gateway",
    )


@pytest.mark.requirement("llm:gateway-defaults")
def test_without_a_name_the_platforms_default_answers_who_has_none_of_its_own(tenant_id: UUID) -> None:
    catalogue.forget(tenant_id)

    result = gateway.complete(make_request(tenant_id, "What is 6 * 7?"))

    assert (result.provider_type, "42" in result.text) == ("demo", True)
    assert result.cost.nano_usd == 0


def test_a_conversation_needs_a_message(tenant_id: UUID) -> None:
    with pytest.raises(ValidationError):
        gateway.complete(make_request(tenant_id, messages=()))
    assert gateway.complete(make_request(tenant_id, messages=(Message("user", "ciao"),))).text
