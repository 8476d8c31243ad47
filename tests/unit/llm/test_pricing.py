"""What a call costs, and how many tokens a text is held for."""

from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest
import structlog
from genai_prices import data_snapshot
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from apps.llm.catalogue import InstanceConfig
from apps.llm.money import pricing, tokens
from apps.llm.money.pricing import Price, Rate, cost_of, flat, price_of
from apps.llm.providers.base import ProviderConfig
from apps.llm.types import Message, ToolCall, ToolSpec, Usage

OPENAI = "https://api.openai.com/v1"
GOOGLE = "https://generativelanguage.googleapis.com/v1beta/openai"
counts = st.integers(min_value=-10, max_value=10**9)
usages = st.builds(Usage, counts, counts, counts)
prices = st.decimals(min_value=0, max_value=10**6, places=3)


@st.composite
def growing(draw: st.DrawFn) -> Price:
    """Dearer for longer calls, cached tokens never dearer than others."""
    rates, above = [], 0
    paid = answered = Decimal(0)
    for _ in range(draw(st.integers(1, 3))):
        paid, answered = paid + draw(prices), answered + draw(prices)
        rates.append(Rate(paid, answered, paid * draw(st.decimals(0, 1, places=2)), above))
        above += draw(st.integers(1, 10**6))
    return Price(tuple(rates), "catalogue")


def instance(
    provider_type: str = "openai",
    base_url: str = OPENAI,
    model_id: str = "gpt-4o-mini",
    own: tuple[int | None, int | None] = (None, None),
) -> InstanceConfig:
    provider = ProviderConfig(uuid4(), None, "a provider", provider_type, base_url, 1)
    return InstanceConfig(
        uuid4(), None, "an instance", provider, model_id, input_nano_usd=own[0], output_nano_usd=own[1]
    )


def per_token(price: Price) -> list[tuple[int, str, str, str]]:
    return [
        (
            rate.above,
            *(f"{each:.3f}" for each in (rate.input_nano_usd, rate.output_nano_usd, rate.cached_input_nano_usd)),
        )
        for rate in price.rates
    ]


@pytest.mark.requirement("llm:prices")
def test_own_prices_stand_before_the_table() -> None:
    dear = price_of(instance(own=(7, 9)))
    half = price_of(instance(own=(None, 9)))

    assert (per_token(dear), dear.priced_by) == ([(0, "7.000", "9.000", "7.000")], "instance")
    assert (per_token(half), half.priced_by) == ([(0, "150.000", "9.000", "75.000")], "instance")


@pytest.mark.requirement("llm:prices")
def test_the_table_knows_the_hosts_it_knows() -> None:
    mini = price_of(instance())
    on_azure = price_of(instance("azure", "https://models.example.org", "gpt-4o-mini"))
    long = price_of(instance(base_url=GOOGLE, model_id="gemini-2.5-pro"))

    assert (per_token(mini), mini.priced_by) == ([(0, "150.000", "600.000", "75.000")], "catalogue")
    assert per_token(on_azure)[0][:3] == (0, "150.000", "600.000")
    assert len(long.rates) == 2
    assert cost_of(Usage(200_000), long).nano_usd * 2 <= cost_of(Usage(200_001), long).nano_usd


@pytest.mark.requirement("llm:prices")
@pytest.mark.parametrize("provider_type", ["demo", "ollama"])
def test_what_runs_on_our_own_machines_is_free(provider_type: str) -> None:
    price = price_of(instance(provider_type, "http://127.0.0.1:11434", "llama3"))

    assert cost_of(Usage(10**6, 10**6), price) == pricing.Cost(0, "free")
    assert price_of(instance(provider_type, own=(1, 1))).priced_by == "instance"


@pytest.mark.requirement("llm:prices")
def test_a_model_without_a_price_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pricing, "log", structlog.get_logger("llm"))  # one that no test before has bound
    model_id = f"model-{uuid4().hex}"
    unpriced = [instance(base_url="http://10.0.0.5:8000/v1", model_id=model_id), instance(model_id=model_id)]

    with capture_logs() as lines:
        found = [price_of(each) for each in unpriced * 3]

    assert {price.priced_by for price in found} == {"unknown"}
    assert [line["event"] for line in lines] == ["llm_price_unknown"]
    assert cost_of(Usage(10**6), found[0]).nano_usd == 0


@pytest.mark.requirement("llm:prices")
def test_nothing_is_downloaded() -> None:
    price_of(instance())

    assert not data_snapshot.get_snapshot().from_auto_update


@pytest.mark.requirement("llm:prices")
@given(usage=usages, price=growing())
def test_a_cost_is_whole_and_never_negative_and_grows_with_its_tokens(usage: Usage, price: Price) -> None:
    cost = cost_of(usage, price).nano_usd
    more_in = cost_of(replace(usage, input_tokens=usage.input_tokens + 1000), price).nano_usd
    more_out = cost_of(replace(usage, output_tokens=usage.output_tokens + 1000), price).nano_usd
    uncached = cost_of(replace(usage, cached_input_tokens=0), price).nano_usd

    assert isinstance(cost, int) and cost >= 0
    assert more_in >= cost or usage.cached_input_tokens > usage.input_tokens
    assert more_out >= cost
    assert uncached >= cost


@pytest.mark.requirement("llm:prices")
def test_half_a_billionth_is_rounded_up_once_a_call() -> None:
    price = flat(Decimal("0.5"), Decimal("0.25"), "instance")

    assert [cost_of(Usage(tokens_in), price).nano_usd for tokens_in in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert cost_of(Usage(1, 1), price).nano_usd == 1


@pytest.mark.requirement("llm:token-estimate")
@given(text=st.text(), more=st.text())
def test_an_estimate_of_tokens_is_never_negative_and_grows_with_its_text(text: str, more: str) -> None:
    counted = tokens.of_text(text)

    assert 0 <= counted <= len(text.encode("utf-8", "surrogatepass"))
    assert tokens.of_text(text + more) >= counted
    assert (counted == 0) == (text == "")


@pytest.mark.requirement("llm:token-estimate")
@pytest.mark.parametrize(
    ("text", "real"),
    # As OpenAI's cookbook lists them for cl100k_base, the tokenizer of GPT-4.
    [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 9),
    ],
)
def test_an_estimate_is_rather_too_high_than_too_low(text: str, real: int) -> None:
    assert real <= tokens.of_text(text) <= real * 3.5


@pytest.mark.requirement("llm:token-estimate")
def test_everything_that_is_sent_is_counted() -> None:
    tool = ToolSpec("search", "Finds genes by their name.", {"type": "object", "properties": {"q": {"type": "string"}}})
    called = Message("assistant", "", tool_calls=(ToolCall("1", "search", {"q": "BRCA1"}),))

    bare = tokens.estimate((Message("user", "Find it"),), ())
    with_tool = tokens.estimate((Message("user", "Find it"),), (tool,))
    with_call = tokens.estimate((Message("user", "Find it"), called), (tool,))

    assert 0 < bare < with_tool < with_call
