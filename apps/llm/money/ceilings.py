"""Ceilings of a tenant's 24 hours and of a run, and what is said of them. Money is whole billionths of a US dollar.

Where they are held against the books: budgets.py. The names are those of llm_reserve in migration 0003.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.types import NANO_USD, RunBudget
from apps.tenancy.config import Quotas

HELD_RETRY_S = 5.0  # calls under way will have ended by then, or some of them
TITLES = {
    "day_nano_usd": "the tenant's budget of money for 24 hours",
    "day_tokens": "the tenant's budget of tokens for 24 hours",
    "run_nano_usd": "the run's budget of money",
    "run_tokens": "the run's budget of tokens",
}


@dataclass(frozen=True, slots=True)
class Budget:
    """One ceiling and what stands against it. ``frees_in_s``: when the oldest of what is spent no longer counts."""

    name: str
    unit: Literal["usd", "tokens"]
    limit: int
    spent: int
    held: int
    warn_share: float
    frees_in_s: float | None = None

    @property
    def left(self) -> int:
        return max(0, self.limit - self.spent - self.held)

    @property
    def warning(self) -> str | None:
        """A sentence once ``warn_share`` is passed."""
        taken = self.spent + self.held
        if taken <= self.limit * self.warn_share:
            return None
        percent = 100 if self.limit == 0 else taken * 100 // self.limit
        return f"{percent} % of {self.name} is spent or held: {self.show(taken)} of {self.show(self.limit)}."

    def show(self, amount: int) -> str:
        return f"{Decimal(amount) / NANO_USD:.6f} USD" if self.unit == "usd" else f"{amount:,} tokens"

    def refusal(self, wanted: int) -> ProviderFailure:
        """Why a call that could take ``wanted`` is refused, and when it may be worth trying again."""
        retry_after_s: float | None = None
        advice = "It is more than the whole budget: ask for fewer tokens, another model, or a larger budget."
        if wanted <= self.limit:
            retry_after_s, advice = self.frees_in_s, "Ask for fewer tokens, another model, or a larger budget."
            if self.spent + wanted <= self.limit:
                retry_after_s, advice = HELD_RETRY_S, "Calls under way hold the rest: try again when they have ended."
        return ProviderFailure(
            FailureKind.BUDGET,
            f"{self.name[0].upper()}{self.name[1:]} has {self.show(self.left)} left of {self.show(self.limit)}, and "
            f"this call could take {self.show(wanted)}. {advice}",
            retry_after_s=retry_after_s,
        )


def ceilings_of(quotas: Quotas, run: RunBudget | None) -> dict[str, int | None]:
    """Each ceiling by its name; None: there is none."""
    usd = quotas.cost_usd_per_day
    return {
        "day_nano_usd": None if usd is None else int(Decimal(str(usd)) * NANO_USD),
        "day_tokens": quotas.tokens_per_day,
        "run_nano_usd": run.nano_usd if run else None,
        "run_tokens": run.tokens if run else None,
    }


def budgets_of(quotas: Quotas, run: RunBudget | None, found: dict[str, Any]) -> dict[str, Budget]:
    """Each ceiling that there is, with what llm_reserve (or usage.standing) found spent and held."""
    budgets = {}
    for name, limit in ceilings_of(quotas, run).items():
        if limit is None:
            continue
        scope, _, kind = name.partition("_")
        budgets[name] = Budget(
            name=TITLES[name],
            unit="usd" if kind == "nano_usd" else "tokens",
            limit=limit,
            spent=found[name] if scope == "day" else found[f"run_spent_{kind}"],
            held=found[f"held_{kind}"] if scope == "day" else found[f"run_held_{kind}"],
            warn_share=quotas.budget_warn_percent / 100 if scope == "day" or run is None else run.soft_share,
            frees_in_s=found[f"{kind}_frees_s"] if scope == "day" else None,
        )
    return budgets
