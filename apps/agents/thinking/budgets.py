"""What one run may take: tokens, money, tool calls, time (issue 6), looked at before each call that takes it.

Tokens and money are held and settled by the gateway's own books, under the run's id (apps/llm/money/budgets.py); calls
and time are counted here. What earlier attempts took counts: the tape and the steps remember it.
"""

import time
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from apps.agents.types import Budget
from apps.llm.errors import BudgetSpent
from apps.llm.money.ceilings import TITLES
from apps.llm.types import RunBudget
from kernel.errors import PlatformError
from kernel.tenant_context import tenant_statement

# Questions to the graph are calls as well. Intents without an answer count: they may have happened.
TAKEN: LiteralString = """
SELECT ARRAY(SELECT idempotency_key::text FROM run_tape WHERE run_id = %(run)s AND kind IN ('tool', 'graph')) AS calls,
    (SELECT COALESCE(sum(latency_ms), 0) FROM steps WHERE run_id = %(run)s AND reused_from IS NULL) / 1000 AS wall_s
"""
_RUN_TITLES = tuple(title for name, title in TITLES.items() if name.startswith("run_"))


class BudgetExhausted(PlatformError):
    """The run may not take more: it ends as failed, with what it found. ``budget`` and ``limit`` say which."""

    code, http_status, title = "budget_exhausted", 429, "Budget Exhausted"


@dataclass(slots=True)
class RunMeter:
    """Calls and time of one run, as one of its places sees them. Nothing is read while the run has no such ceiling."""

    run_id: UUID
    tenant_id: UUID
    budget: Budget
    _began: float = field(default_factory=time.monotonic)
    _before: tuple[frozenset[str], float] | None = None
    _calls: set[str] = field(default_factory=set)

    def wall_left_s(self) -> float | None:
        """Seconds that the run may still work; None without a ceiling. BudgetExhausted when there are none."""
        if self.budget.wall_s is None:
            return None
        spent = self._taken()[1] + time.monotonic() - self._began
        if spent >= self.budget.wall_s:
            raise BudgetExhausted(
                f"The run has worked for {spent:.1f} s of the {self.budget.wall_s:g} s it may take.",
                budget="wall_s", limit=self.budget.wall_s, spent=round(spent, 3),
            )  # fmt: skip
        return self.budget.wall_s - spent

    def reserve_call(self, key: str) -> None:
        """Take one call of a tool or of the graph; one that is made again with its key was taken before.
        BudgetExhausted when there is none left."""
        limit = self.budget.tool_calls
        if limit is None:
            return
        calls = self._taken()[0] | self._calls
        spent = len(calls)
        if key not in calls and spent >= limit:
            raise BudgetExhausted(
                f"The run has made {spent} of the {limit} calls of tools it may make.",
                budget="tool_calls", limit=limit, spent=spent,
            )  # fmt: skip
        self._calls.add(key)

    def _taken(self) -> tuple[frozenset[str], float]:
        if self._before is None:
            (row,) = tenant_statement(self.tenant_id, TAKEN, {"run": self.run_id})
            self._before = frozenset(row["calls"]), float(row["wall_s"])
        return self._before


def gateway_budget(budget: Budget) -> RunBudget | None:
    """The part of it that the gateway holds its calls against."""
    if budget.nano_usd is None and budget.tokens is None:
        return None
    return RunBudget(nano_usd=budget.nano_usd, tokens=budget.tokens)


def exhausted_by(error: BudgetSpent, budget: Budget) -> BudgetExhausted | None:
    """What the gateway's refusal means for the run: its own budget is used up; None when it was the tenant's."""
    lowered = error.detail.lower()
    if not any(title in lowered for title in _RUN_TITLES):
        return None
    which = "tokens" if TITLES["run_tokens"] in lowered else "usd"
    limit = budget.tokens if which == "tokens" else (budget.nano_usd or 0) / 1_000_000_000
    return BudgetExhausted(error.detail, budget=which, limit=limit)
