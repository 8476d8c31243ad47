"""Books are settled after the answer, by a thread of the process: nothing is lost, and nothing is booked twice."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from apps.llm import gateway
from apps.llm.calling import afterwards
from apps.llm.models import LlmCall
from apps.llm.money import budgets, usage
from apps.llm.types import RunBudget
from devkit.llm_stub import Stub
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S, wait_for
from tests.llm_factories import make_instance, make_provider, make_request

SCRIPT = Path(__file__).with_name("callers.py")
ANSWER_TOKENS = 6  # of the stub, to "Hello there"

pytestmark = pytest.mark.requirement("llm:books-afterwards")


@pytest.fixture
def tenant_id(tenant: Any, stub: Stub) -> UUID:
    """A tenant with a model ``m`` that echoes."""
    tenant_id = UUID(str(tenant.id))
    provider = make_provider(tenant_id, f"{stub.url}/v1", max_retries=0)
    make_instance(provider, "echo", instance_name="m", max_output_tokens=50, input_nano_usd=10, output_nano_usd=10)
    return tenant_id


def calls(tenant_id: UUID) -> list[LlmCall]:
    with tenant_scope(tenant_id):
        return list(LlmCall.objects.order_by("started_at"))


def states(tenant_id: UUID) -> list[str]:
    return [row.state for row in calls(tenant_id)]


@contextmanager
def thread_at_work() -> Iterator[Callable[[], None]]:
    """The thread is busy until the function is called, or the block ends."""
    begun, free = threading.Event(), threading.Event()
    afterwards.do(lambda: begun.set() is None and free.wait(PATIENCE_S))
    assert begun.wait(PATIENCE_S)
    try:
        yield free.set
    finally:
        free.set()
        assert afterwards.finish()


def test_what_is_held_stands_for_what_is_not_settled_yet(tenant_id: UUID) -> None:
    with thread_at_work() as let_go:
        gateway.complete(make_request(tenant_id, "Hello there", model="m"))
        under_way = usage.standing(tenant_id)
        let_go()
        settled = wait_for(lambda: (seen := usage.standing(tenant_id)).held_tokens == 0 and seen, what="the settlement")

    assert under_way.spent_tokens == 0
    assert under_way.held_tokens >= ANSWER_TOKENS
    assert (settled.spent_tokens, settled.held_nano_usd) == (ANSWER_TOKENS, 0)


def test_who_asks_one_thing_after_the_other_is_not_refused_for_what_the_last_answer_still_holds(
    tenant_id: UUID,
) -> None:
    run = UUID(int=1)
    room_for_one = RunBudget(tokens=130)  # of which each call holds about 70, and takes 6

    texts = [
        gateway.complete(
            make_request(tenant_id, "Hello there", model="m", fallbacks=(), run_id=run, run_budget=room_for_one)
        ).text
        for _ in range(8)
    ]

    assert texts == ["You said: Hello there"] * 8


def test_when_too_many_wait_each_call_settles_its_own(tenant_id: UUID) -> None:
    done: list[int] = []
    with thread_at_work():
        for number in range(afterwards.WAITING_AT_MOST):
            afterwards.do(partial(lambda number: done.append(number) is None, number))
        gateway.complete(make_request(tenant_id, "Hello there", model="m"))
        at_once, others = states(tenant_id), list(done)

    assert at_once == ["settled"]
    assert others == []
    assert done == list(range(afterwards.WAITING_AT_MOST))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_task_that_breaks_takes_no_other_with_it(tenant_id: UUID) -> None:
    def breaks() -> bool:
        raise ZeroDivisionError

    with thread_at_work():
        (broken,) = [thread for thread in threading.enumerate() if thread.name == "llm-afterwards"]
        afterwards.do(breaks)
        for _ in range(3):
            gateway.complete(make_request(tenant_id, "Hello there", model="m"))

    assert afterwards.finish()
    broken.join(PATIENCE_S)  # its trace belongs to this test, and is shown after the thread that follows was started
    assert states(tenant_id) == ["settled"] * 3


def test_many_threads_settle_each_call_once(tenant_id: UUID) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: gateway.complete(make_request(tenant_id, "Hello there", model="m")), range(100)))

    assert afterwards.finish()
    seen = usage.standing(tenant_id)
    assert states(tenant_id) == ["settled"] * 100
    assert (seen.spent_tokens, seen.held_tokens, seen.held_nano_usd) == (100 * ANSWER_TOKENS, 0, 0)


@pytest.mark.parametrize("end", ["return", "exit", "term", "fork"])
def test_a_process_that_ends_has_settled_its_calls(tenant_id: UUID, end: str) -> None:
    answered = run_caller(tenant_id, 5, end)

    assert len(answered) == 5
    assert states(tenant_id) == ["settled"] * 5
    assert usage.standing(tenant_id).spent_tokens == sum(answered)


def test_a_process_that_ends_while_its_threads_go_on_has_settled_what_was_answered(tenant_id: UUID) -> None:
    answered = run_caller(tenant_id, 20, "busy")
    ended = states(tenant_id)

    assert len(answered) >= 20
    assert ended.count("settled") >= len(answered)
    assert ended.count("open") <= 4, "of each thread the call that it was cut off in"


def test_what_a_killed_process_had_not_settled_counts_as_it_was_held(
    tenant_id: UUID, superuser: psycopg.Connection[Any]
) -> None:
    answered = run_caller(tenant_id, 5, "kill")
    before = calls(tenant_id)

    superuser.execute("UPDATE llm_calls SET expires_at = now() WHERE tenant_id = %s AND state = 'open'", [tenant_id])
    budgets.release_lost()
    seen = usage.standing(tenant_id)

    assert len(answered) == len(before) == 5
    held = sum(row.held_tokens for row in before if row.state == "open")
    booked = sum(row.input_tokens + row.output_tokens for row in before if row.state == "settled")
    assert (seen.spent_tokens, seen.held_tokens) == (held + booked, 0)
    assert seen.spent_tokens >= sum(answered)


def test_calls_that_end_while_postgresql_refuses_everybody_are_settled_when_it_is_back(
    tenant_id: UUID, stub: Stub, superuser: psycopg.Connection[Any]
) -> None:
    provider = make_provider(tenant_id, f"{stub.url}/v1", max_retries=0)
    make_instance(provider, "drip-0.01", instance_name="slow", max_output_tokens=50)

    with gateway.stream(make_request(tenant_id, "Hello there", model="slow")) as stream:
        next(iter(stream))
        with nobody_gets_in(superuser):
            list(stream)
            ended = stream.result.usage.total_tokens
            tried_in_vain = not afterwards.finish(0.6)

    assert tried_in_vain
    assert afterwards.finish(10)
    assert states(tenant_id) == ["settled"]
    assert usage.standing(tenant_id).spent_tokens == ended == ANSWER_TOKENS


@contextmanager
def nobody_gets_in(superuser: psycopg.Connection[Any]) -> Iterator[None]:
    """The application's role may not connect, and whoever of it was connected is thrown out."""
    superuser.execute("ALTER ROLE cineca_app NOLOGIN")
    try:
        superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'cineca_app'")
        yield
    finally:
        superuser.execute("ALTER ROLE cineca_app LOGIN")


def run_caller(tenant_id: UUID, how_many: int, end: str) -> list[int]:
    """Tokens of each answer that the process got before it ended."""
    arguments = [sys.executable, str(SCRIPT), str(tenant_id), str(how_many), end]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, check=False, timeout=240)
    assert done.returncode == {"exit": 3, "kill": -9}.get(end, 0)
    return [json.loads(line)["tokens"] for line in done.stdout.splitlines()]
