"""What a call costs: the instance's own prices, else the price table that comes with the package genai-prices.

Nothing is downloaded; a newer table comes with a newer package. Money is whole billionths of a US dollar, rounded half
up once a call; prices of a token may be fractions of that.
"""

import time
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import genai_prices
import structlog
from genai_prices.types import ModelPrice, TieredPrices

from apps.llm.catalogue import InstanceConfig
from apps.llm.types import Cost, PricedBy, Usage

log = structlog.get_logger("llm")
FREE_TYPES = frozenset({"demo", "ollama"})  # they run on our own machines
NANO_USD_OF_MTOK = 1000  # one dollar a million tokens is this much a token
LOOKED_UP_AGAIN_S = 600  # some prices hold for hours of the day
REMEMBERED = 1024
_unknown: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Rate:
    """Billionths of a US dollar per token, for calls with more than ``above`` tokens in, all of their tokens."""

    input_nano_usd: Decimal
    output_nano_usd: Decimal
    cached_input_nano_usd: Decimal
    above: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost. ``rates`` by ``above``, the first for every call; a longer call may be dearer."""

    rates: tuple[Rate, ...]
    priced_by: PricedBy

    def rate_of(self, input_tokens: int) -> Rate:
        """What a call with so many tokens in pays."""
        return next((rate for rate in reversed(self.rates) if input_tokens > rate.above), self.rates[0])


def flat(
    input_nano_usd: Decimal | int, output_nano_usd: Decimal | int, priced_by: PricedBy, cached: Decimal | None = None
) -> Price:
    """The same price for calls of every length."""
    paid = Decimal(input_nano_usd)
    return Price((Rate(paid, Decimal(output_nano_usd), paid if cached is None else cached),), priced_by)


FREE = flat(0, 0, "free")
UNKNOWN = flat(0, 0, "unknown")


def price_of(instance: InstanceConfig) -> Price:
    """Never fails. Where an instance has one own price only, the table's is taken for the other."""
    own_in, own_out, provider = instance.input_nano_usd, instance.output_nano_usd, instance.provider
    if own_in is not None and own_out is not None:
        return flat(own_in, own_out, "instance")
    if provider.type in FREE_TYPES:
        found: Price | None = FREE
    else:
        found = _from_table(provider.type, provider.base_url, instance.model_id, int(time.time() / LOOKED_UP_AGAIN_S))
    if found is None:
        _say_unknown(provider.name, instance.model_id)
        found = UNKNOWN
    if own_in is None and own_out is None:
        return found
    return Price(tuple(_with_own(rate, own_in, own_out) for rate in found.rates), "instance")


def cost_of(usage: Usage, price: Price) -> Cost:
    """Never negative. Tokens that the provider had cached are among the input's, cheaper where the price says so."""
    tokens_in = max(0, usage.input_tokens)
    cached = min(max(0, usage.cached_input_tokens), tokens_in)
    rate = price.rate_of(tokens_in)
    exact = (
        (tokens_in - cached) * rate.input_nano_usd
        + cached * rate.cached_input_nano_usd
        + max(0, usage.output_tokens) * rate.output_nano_usd
    )
    return Cost(max(0, int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))), price.priced_by)


def _with_own(rate: Rate, own_in: int | None, own_out: int | None) -> Rate:
    return Rate(
        rate.input_nano_usd if own_in is None else Decimal(own_in),
        rate.output_nano_usd if own_out is None else Decimal(own_out),
        rate.cached_input_nano_usd if own_in is None else Decimal(own_in),
        rate.above,
    )


@lru_cache(REMEMBERED)
def _from_table(provider_type: str, base_url: str, model_id: str, period: int) -> Price | None:
    """Found by the host that is called; None for one that the table does not know: our own vLLM, say."""
    asked = genai_prices.Usage(input_tokens=1, output_tokens=1)
    try:
        if provider_type == "azure":  # some have a domain of their own
            found = genai_prices.calc_price(asked, model_id, provider_id="azure")
        else:
            found = genai_prices.calc_price(asked, model_id, provider_api_url=base_url)
    except (LookupError, ValueError):
        return None
    return _price(found.model_price)


def _price(model_price: ModelPrice) -> Price | None:
    paid, answered, cached = model_price.input_mtok, model_price.output_mtok, model_price.cache_read_mtok
    if paid is None and answered is None:
        return None  # by the second, by the picture
    starts = {tier.start for mtok in (paid, answered, cached) if isinstance(mtok, TieredPrices) for tier in mtok.tiers}
    rates = []
    for start in sorted(starts | {0}):
        input_price = _at(paid, start) or Decimal(0)
        cached_price = _at(cached, start)
        rates.append(
            Rate(
                input_price,
                _at(answered, start) or Decimal(0),
                input_price if cached_price is None else min(cached_price, input_price),
                start,
            )
        )
    return Price(tuple(rates), "catalogue")


def _at(mtok: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    """Per token, of a call with just more than ``start`` tokens in."""
    if isinstance(mtok, TieredPrices):
        mtok = next((tier.price for tier in reversed(mtok.tiers) if start >= tier.start), mtok.base)
    return None if mtok is None else mtok * NANO_USD_OF_MTOK


def _say_unknown(provider: str, model_id: str) -> None:
    if (provider, model_id) not in _unknown and len(_unknown) < REMEMBERED:
        _unknown.add((provider, model_id))
        log.warning("llm_price_unknown", provider=provider, model=model_id)
