"""What was spent on language models, from the books: by model, provider, user, run, purpose or day; and how the day's
budgets stand.

Calls under way are in no report, only in what is held. Lost calls count with what they held.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import psycopg
from django.db import Error as DatabaseError

from apps.llm.money.ceilings import Budget, budgets_of
from apps.llm.types import NANO_USD
from apps.tenancy.resolver import tenant_config
from kernel.errors import NotFoundError, UnavailableError, ValidationError
from kernel.tenant_context import prepared_cursor, tenant_scope

GroupBy = Literal["model", "provider", "user", "run", "purpose", "day"]
MAX_ROWS = 1000
KEYS: dict[str, str] = {
    "model": "model_id",
    "provider": "provider",
    "user": "user_sub",
    "run": "coalesce(run_id::text, '')",
    "purpose": "purpose",
    "day": "to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
}
ORDERS = {"day": "key"}
BY_COST = "nano_usd DESC, input_tokens + output_tokens DESC, key"
COUNTED = ("calls", "failed", "lost", "input_tokens", "output_tokens", "nano_usd")
REPORT = """
WITH sums AS (
    SELECT {key} AS key, count(*) AS calls, count(*) FILTER (WHERE state = 'settled' AND outcome <> 'ok') AS failed,
        count(*) FILTER (WHERE state = 'lost') AS lost, sum(input_tokens)::bigint AS input_tokens,
        sum(output_tokens)::bigint AS output_tokens, sum(nano_usd)::bigint AS nano_usd
    FROM llm_calls
    WHERE tenant_id = %(tenant)s AND started_at >= %(since)s AND started_at < %(until)s AND state <> 'open' {only}
    GROUP BY 1
)
SELECT *, count(*) OVER () AS groups, {totals} FROM sums ORDER BY {order} LIMIT %(limit)s
"""
STANDING = """
SELECT day.nano_usd AS day_nano_usd, day.tokens AS day_tokens, day.nano_usd_frees_s, day.tokens_frees_s,
    coalesce(account.held_nano_usd, 0) AS held_nano_usd, coalesce(account.held_tokens, 0) AS held_tokens
FROM llm_day(%(tenant)s) AS day
LEFT JOIN llm_accounts AS account ON account.tenant_id = %(tenant)s AND account.key = ''
"""


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Calls that belong together. ``lost`` are those whose process died; ``failed`` gave no answer, and may cost."""

    key: str
    calls: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    nano_usd: int = 0
    lost: int = 0

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> float:
        return self.nano_usd / NANO_USD

    def as_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "calls": self.calls,
            "failed": self.failed,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "total_tokens": self.total_tokens,
            "cost_usd": self.cost_usd,
            "lost": self.lost,
        }


@dataclass(frozen=True, slots=True)
class UsageReport:
    """``rows``: the dearest first, days in their order. ``totals`` and ``groups`` are of all, also beyond the limit."""

    rows: tuple[UsageRow, ...]
    totals: UsageRow
    groups: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A tenant's last 24 hours. ``budgets``: those that have a ceiling, day_nano_usd and day_tokens."""

    spent_nano_usd: int
    spent_tokens: int
    held_nano_usd: int
    held_tokens: int
    budgets: dict[str, Budget] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def report(
    tenant_id: UUID,
    *,
    since: datetime,
    until: datetime,
    group_by: GroupBy = "model",
    only_sub: str | None = None,
    limit: int = 100,
) -> UsageReport:
    """Calls that began in [since, until), of all users or of one. Who may ask for whose is the caller's check."""
    if group_by not in get_args(GroupBy):
        raise ValidationError(f"group_by is one of {', '.join(get_args(GroupBy))}.", code="invalid_group_by")
    query = REPORT.format(
        key=KEYS[group_by],
        only="" if only_sub is None else "AND user_sub = %(sub)s",
        totals=", ".join(f"(sum({name}) OVER ())::bigint AS all_{name}" for name in COUNTED),
        order=ORDERS.get(group_by, BY_COST),
    )
    values = {
        "tenant": tenant_id,
        "since": since,
        "until": until,
        "sub": only_sub,
        "limit": max(1, min(limit, MAX_ROWS)),
    }
    with _reading(tenant_id) as cursor:
        found = cursor.execute(query, values).fetchall()
    rows = tuple(UsageRow(row["key"], **{name: row[name] for name in COUNTED}) for row in found)
    if not found:
        return UsageReport((), UsageRow("total"), 0)
    totals = UsageRow("total", **{name: found[0][f"all_{name}"] for name in COUNTED})
    return UsageReport(rows, totals, found[0]["groups"])


def standing(tenant_id: UUID) -> Standing:
    """What of the daily budgets is spent, held and left. NotFoundError when there is no such tenant."""
    config = tenant_config(tenant_id)
    if config is None:
        raise NotFoundError("There is no such tenant.", code="tenant_not_found")
    with _reading(tenant_id) as cursor:
        found = cursor.execute(STANDING, {"tenant": tenant_id}).fetchone()
    assert found is not None
    budgets = budgets_of(config.settings.quotas, None, found)
    return Standing(
        spent_nano_usd=found["day_nano_usd"],
        spent_tokens=found["day_tokens"],
        held_nano_usd=found["held_nano_usd"],
        held_tokens=found["held_tokens"],
        budgets=budgets,
        warnings=tuple(budget.warning for budget in budgets.values() if budget.warning is not None),
    )


@contextmanager
def _reading(tenant_id: UUID) -> Iterator[psycopg.Cursor[dict[str, Any]]]:
    try:
        with tenant_scope(tenant_id), prepared_cursor() as cursor:
            yield cursor
    except (DatabaseError, psycopg.Error) as error:
        raise UnavailableError("The books cannot be read right now. Try again.", code="database_unavailable") from error
