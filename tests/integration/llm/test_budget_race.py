"""Eight processes spend one budget at once, and one of them is killed in the middle of a call."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from apps.llm.money import budgets
from apps.tenancy.services import create_tenant

SCRIPT = Path(__file__).with_name("spenders.py")

PROCESSES, CALLS = 8, 40
LIMIT_TOKENS, LIMIT_NANO_USD = 20_000, 105_000


def tenant_with(**quotas: Any) -> UUID:
    mark = uuid4().hex[:12]
    return UUID(str(create_tenant(f"t-{mark}", f"Tenant {mark}", tenant_settings={"quotas": quotas}).id))


def spend_at_once(admin_url: str, tenant_id: UUID, *run: object) -> tuple[Counter[str], int]:
    """What became of all calls, and how many processes were killed; the killed one's call is still open.

    Looks at the accounts all the while: what is spent and held may not pass the limits for a moment.
    """
    arguments = [str(tenant_id), *(str(each) for each in run or ("-", "-", "-")), str(PROCESSES), str(CALLS)]
    ended: Counter[str] = Counter()
    killed = 0
    with (
        psycopg.connect(admin_url, autocommit=True) as books,
        subprocess.Popen([sys.executable, str(SCRIPT), *arguments], stdout=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        for text in process.stdout:
            line = json.loads(text)
            beyond = books.execute(
                "SELECT key, spent_nano_usd, held_nano_usd, spent_tokens, held_tokens FROM llm_accounts "
                "WHERE tenant_id = %s AND (spent_nano_usd + held_nano_usd > %s OR spent_tokens + held_tokens > %s)",
                [tenant_id, LIMIT_NANO_USD, LIMIT_TOKENS],
            ).fetchall()
            assert beyond == []
            if "stuck" in line:
                os.kill(line["stuck"], signal.SIGKILL)
                killed += 1
            elif "refused" in line or "unavailable" in line:
                ended["refused" if "refused" in line else "unavailable"] += 1
            else:
                ended.update(answered=1, nano_usd=line["nano_usd"], tokens=line["tokens"])
    assert process.returncode == 0
    return ended, killed


def one_row(admin_url: str, query: str, *values: object) -> tuple[Any, ...]:
    with psycopg.connect(admin_url) as connection:
        row = connection.execute(query, values).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return tuple(row)


def check_the_books(admin_url: str, tenant_id: UUID, keys: list[str]) -> tuple[int, int]:
    """Nothing is held, and calls, hours and accounts say the same. Returns (money, tokens) spent."""
    calls = one_row(
        admin_url,
        "SELECT sum(nano_usd), sum(input_tokens + output_tokens), count(*) FILTER (WHERE state = 'open'), "
        "count(*) FILTER (WHERE state = 'lost') FROM llm_calls WHERE tenant_id = %s",
        tenant_id,
    )
    hours = one_row(admin_url, "SELECT sum(nano_usd), sum(tokens) FROM llm_hours WHERE tenant_id = %s", tenant_id)
    for key in keys:
        account = one_row(
            admin_url,
            "SELECT spent_nano_usd, spent_tokens, held_nano_usd, held_tokens FROM llm_accounts "
            "WHERE tenant_id = %s AND key = %s",
            tenant_id,
            key,
        )
        assert account == (*calls[:2], 0, 0), key
    assert calls[2:] == (0, 1)
    assert hours == calls[:2]
    return int(calls[0]), int(calls[1])


@pytest.mark.requirement("llm:budget-hard")
@pytest.mark.requirement("llm:budget-crash")
def test_a_tenants_budget_is_never_overspent_and_nothing_leaks(admin_url: str) -> None:
    tenant_id = tenant_with(tokens_per_day=LIMIT_TOKENS, cost_usd_per_day=LIMIT_NANO_USD / 10**9)

    ended, killed = spend_at_once(admin_url, tenant_id)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: budgets.release_lost(), range(3)))

    nano_usd, tokens = check_the_books(admin_url, tenant_id, [""])
    assert killed == 1
    assert ended["answered"] > 20 and ended["refused"] > 20
    assert ended["nano_usd"] < nano_usd <= LIMIT_NANO_USD
    assert ended["tokens"] < tokens <= LIMIT_TOKENS


@pytest.mark.requirement("llm:budget-hard")
@pytest.mark.requirement("llm:budget-crash")
def test_a_runs_budget_is_never_overspent_and_nothing_leaks(admin_url: str) -> None:
    tenant_id, run_id = tenant_with(), uuid4()

    ended, killed = spend_at_once(admin_url, tenant_id, run_id, LIMIT_NANO_USD, LIMIT_TOKENS)
    budgets.release_lost()

    nano_usd, tokens = check_the_books(admin_url, tenant_id, ["", str(run_id)])
    assert killed == 1
    assert ended["answered"] > 20 and ended["refused"] > 20
    assert nano_usd <= LIMIT_NANO_USD and tokens <= LIMIT_TOKENS
