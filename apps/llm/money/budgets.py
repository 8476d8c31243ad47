"""The books of calls: what a call may cost is held before a provider is asked, what it did cost is settled after.

No call begins that could carry a tenant's last 24 hours, or a run, beyond its budget: what is spent, what all calls
under way hold, and what this one could cost stay within it together. Whoever dies in between leaves an open row; after
its time what it held counts as spent (``release_lost``), and is corrected should it settle after all. The SQL is in
migration 0003, the reasoning in docs/adr/0012. No database connection is kept while a provider answers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from psycopg.types.numeric import Int8

from apps.llm.catalogue import InstanceConfig
from apps.llm.money.ceilings import budgets_of, ceilings_of
from apps.llm.money.pricing import Price, cost_of
from apps.llm.types import CompletionRequest, Cost, Usage
from apps.tenancy.resolver import tenant_config
from kernel import engine_db, metrics
from kernel.errors import NotFoundError, UnavailableError, ValidationError
from kernel.tenant_context import OWN_TENANT, prepared_cursor, tenant_scope, tenant_statement

log = structlog.get_logger("llm")
LOST_BATCH = 500
CLEANED_BATCH = 5_000
PURPOSE_LENGTH, OUTCOME_LENGTH, MODEL_LENGTH = 32, 24, 255

RESERVE = f"""
SELECT found.* FROM {OWN_TENANT},
    llm_reserve(%(id)s, own.tenant::uuid, %(call)s, %(user)s, %(run)s, %(purpose)s, %(provider_id)s, %(provider)s,
    %(instance_id)s, %(instance)s, %(model)s, %(priced_by)s, %(used_fallback)s, %(expires_in_s)s::float8, %(nano_usd)s,
    %(tokens)s, %(output_tokens)s, %(day_nano_usd)s, %(day_tokens)s, %(run_nano_usd)s, %(run_tokens)s) AS found
"""
SETTLED = """
llm_settle(%(id)s, %(outcome)s, %(spent_nano_usd)s, %(spent_input_tokens)s, %(spent_output_tokens)s,
    %(priced_by)s, %(is_estimated)s, %(attempts)s::integer, %(latency_ms)s::float8, %(durable)s) AS was
"""
SETTLE = f"SELECT {SETTLED} FROM {OWN_TENANT}"
# An open row that holds nothing, for a call whose own row went with a crash of PostgreSQL.
BOOK_AGAIN = """
INSERT INTO llm_calls (id, tenant_id, call_id, user_sub, run_id, purpose, provider_id, provider, instance_id, instance,
    model_id, state, outcome, held_nano_usd, held_tokens, held_output_tokens, nano_usd, input_tokens, output_tokens,
    priced_by, is_estimated, used_fallback, attempts, started_at, expires_at)
VALUES (%(id)s, %(tenant)s, %(call)s, %(user)s, %(run)s, %(purpose)s, %(provider_id)s, %(provider)s, %(instance_id)s,
    %(instance)s, %(model)s, 'open', '', 0, 0, 0, 0, 0, 0, %(priced_by)s, false, %(used_fallback)s, 0,
    clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO NOTHING
"""
CLEAN = (
    """
    DELETE FROM llm_calls WHERE id IN (
        SELECT id FROM llm_calls WHERE state <> 'open' AND started_at < now() - make_interval(days => %(days)s)
        LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    """,
    """
    DELETE FROM llm_hours WHERE id IN (
        SELECT id FROM llm_hours WHERE hour < now() - interval '2 days' LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    """,
    """
    DELETE FROM llm_accounts WHERE id IN (
        SELECT id FROM llm_accounts WHERE key <> '' AND held_nano_usd = 0 AND held_tokens = 0
            AND updated_at < now() - interval '30 days'
        LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    """,
)


@dataclass(frozen=True, slots=True)
class Hold:
    """What a call holds until it is settled. ``warnings``: sentences on budgets that are nearly spent."""

    id: UUID
    warnings: tuple[str, ...] = ()
    row: dict[str, Any] = field(default_factory=dict, repr=False)


def reserve(
    request: CompletionRequest,
    *,
    call_id: UUID,
    instance: InstanceConfig,
    price: Price,
    tokens_in: int,
    max_tokens: int,
    expires_in_s: float,
    used_fallback: bool,
    catch_up: Callable[[], None] | None = None,
) -> Hold:
    """Hold the most that the call could cost. ProviderFailure (BUDGET) when a budget has not that much left, also once
    ``catch_up`` settled what had ended before: whoever asks one thing after the other has one call under way.

    UnavailableError while the books cannot be written: no call without them. RuntimeError inside a transaction, which
    would keep the tenant's account locked while the provider answers, and could forget what was paid.
    """
    if request.run_budget is not None and request.run_id is None:
        raise ValidationError("A run's budget needs the run's id.", code="run_budget_without_run")
    config = tenant_config(request.tenant_id)
    if config is None:
        raise NotFoundError("There is no such tenant.", code="tenant_not_found")
    quotas = config.settings.quotas
    ceilings = ceilings_of(quotas, request.run_budget)
    most = cost_of(Usage(tokens_in, max_tokens), price)
    row: dict[str, Any] = {
        "id": uuid4(),
        "tenant": request.tenant_id,
        "call": call_id,
        "user": request.user_sub,
        "run": request.run_id,
        "purpose": request.purpose[:PURPOSE_LENGTH],
        "provider_id": instance.provider.id,
        "provider": instance.provider.name,
        "instance_id": instance.id,
        "instance": instance.name,
        "model": instance.model_id[:MODEL_LENGTH],
        "priced_by": most.priced_by,
        "used_fallback": used_fallback,
        "expires_in_s": expires_in_s,
        "nano_usd": Int8(most.nano_usd),
        "tokens": Int8(tokens_in + max_tokens),
        "output_tokens": Int8(max_tokens),
        **{name: None if limit is None else Int8(limit) for name, limit in ceilings.items()},
    }
    with _books():
        (found,) = tenant_statement(request.tenant_id, RESERVE, row)
    if found["refused"] is not None and catch_up is not None:
        catch_up()
        with _books():
            (found,) = tenant_statement(request.tenant_id, RESERVE, row)
    budgets = budgets_of(quotas, request.run_budget, found)
    if found["refused"] is not None:
        refused = budgets[found["refused"]]
        metrics.LLM_BUDGET_REFUSALS.labels("run" if found["refused"].startswith("run") else "tenant").inc()
        raise refused.refusal(most.nano_usd if refused.unit == "usd" else tokens_in + max_tokens)
    own = {"usd": most.nano_usd, "tokens": tokens_in + max_tokens}
    taken = [replace(budget, held=budget.held + own[budget.unit]) for budget in budgets.values()]
    return Hold(row["id"], tuple(budget.warning for budget in taken if budget.warning is not None), row)


def settle(hold: Hold, *, usage: Usage, cost: Cost, outcome: str, attempts: int, latency_ms: float) -> None:
    """Book what the call did cost, once: again changes nothing, and after it was declared lost it is corrected.

    UnavailableError when the books cannot be written; what is held then stays so, and counts as spent in the end.
    """
    values = {
        **hold.row,
        "outcome": outcome[:OUTCOME_LENGTH],
        "spent_nano_usd": Int8(max(0, cost.nano_usd)),
        "spent_input_tokens": Int8(max(0, usage.input_tokens)),
        "spent_output_tokens": Int8(max(0, usage.output_tokens)),
        "priced_by": cost.priced_by,
        "is_estimated": usage.is_estimated,
        "attempts": attempts,
        "latency_ms": latency_ms,
        # Forgotten in a crash, this would be found as lost and count with what was held: too little only if more.
        "durable": cost.nano_usd > hold.row["nano_usd"] or usage.total_tokens > hold.row["tokens"],
    }
    tenant_id: UUID = hold.row["tenant"]
    try:
        was = _settled(tenant_id, values)
    except UnavailableError:  # once more, on another connection: a second time changes nothing
        was = _settled(tenant_id, values)
    except NotFoundError:
        log.warning("llm_call_of_a_tenant_that_is_gone", tenant=str(tenant_id))  # and its books with it
        return
    if was in ("unknown", "corrected"):
        log.warning("llm_call_settled_late", hold=str(hold.id), was=was)


def release_lost() -> int:
    """Count as spent what calls hold that should have ended long ago: their process died. Returns how many.

    Looks across tenants; any number of processes may do it at once.
    """
    lost = 0
    with _engine() as cursor:
        while True:
            cursor.execute("SELECT llm_release_lost(%s)", [LOST_BATCH])
            batch = int(cursor.fetchone()[0])
            metrics.LLM_HOLDS_LOST.inc(batch)
            lost += batch
            if batch < LOST_BATCH:
                break
    if lost:
        log.warning("llm_calls_lost", calls=lost)
    return lost


def clean() -> int:
    """Delete calls, hours and accounts of runs past their time, a batch a transaction. Returns how many rows went."""
    gone = 0
    with _engine() as cursor:
        for statement in CLEAN:
            while True:
                cursor.execute(statement, {"days": settings.LLM_CALL_RETENTION_DAYS, "batch": CLEANED_BATCH})
                gone += cursor.rowcount
                if cursor.rowcount < CLEANED_BATCH:
                    break
    return gone


def _settled(tenant_id: UUID, values: dict[str, Any]) -> str:
    with _books():
        (found,) = tenant_statement(tenant_id, SETTLE, values)
        if found["was"] == "unknown":
            with tenant_scope(tenant_id), prepared_cursor() as cursor:
                cursor.execute(BOOK_AGAIN, values)
                cursor.execute(f"SELECT {SETTLED}", values)
    was: str = found["was"]
    return was


@contextmanager
def _books() -> Iterator[None]:
    """Short transactions on a tenant's books; the connection goes back to the pool at once."""
    connection = connections["default"]
    if connection.in_atomic_block:
        raise RuntimeError("a language model cannot be called inside a transaction")
    try:
        yield
    except psycopg.errors.ForeignKeyViolation as error:
        raise NotFoundError("There is no such tenant.", code="tenant_not_found") from error
    except (DatabaseError, psycopg.Error) as error:
        raise UnavailableError(
            "What the call costs cannot be written down right now, and so it cannot be made. Try again.",
            code="database_unavailable",
        ) from error
    finally:
        connection.close()


@contextmanager
def _engine() -> Iterator[Any]:
    """Across tenants; every statement is a transaction."""
    try:
        with engine_db.cursor() as cursor:
            yield cursor
    finally:
        connections[engine_db.ALIAS].close()
