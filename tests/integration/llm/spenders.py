"""Processes that spend one budget at once; run by test_budget_race.py.

    spenders.py <tenant id> <run id or -> <run's money or -> <run's tokens or -> <how many> <calls each>

Prints a JSON line for each call. The first process stops in the middle of a call and says {"stuck": its pid}; then the
others begin.
"""

import json
import os
import random
import signal
import sys
import traceback
from uuid import UUID, uuid4

import django

django.setup()

from apps.llm.catalogue import InstanceConfig  # noqa: E402
from apps.llm.failures import ProviderFailure  # noqa: E402
from apps.llm.money import budgets, pricing  # noqa: E402
from apps.llm.providers.base import ProviderConfig  # noqa: E402
from apps.llm.types import CompletionRequest, Message, RunBudget, Usage  # noqa: E402
from apps.tenancy.resolver import tenant_config  # noqa: E402
from kernel.errors import UnavailableError  # noqa: E402
from tests.clients import wait_for  # noqa: E402

PROVIDER = ProviderConfig(uuid4(), None, "a provider", "openai", "http://127.0.0.1:1/v1", 1)
INSTANCE = InstanceConfig(uuid4(), None, "a model", PROVIDER, "m", input_nano_usd=3, output_nano_usd=7)
PRICE = pricing.price_of(INSTANCE)


def say(**line: object) -> None:
    os.write(1, (json.dumps(line) + "\n").encode())


def knows_tenant(tenant_id: UUID) -> bool:
    """Under load the first look may take longer than callers wait for it."""
    try:
        return tenant_config(tenant_id) is not None
    except UnavailableError:
        return False


def spend(request: CompletionRequest, calls: int, gets_stuck: bool, gate: tuple[int, int]) -> None:
    if not gets_stuck:
        os.close(gate[1])
        os.read(gate[0], 1)  # until nobody holds the other end any more
    wait_for(lambda: knows_tenant(request.tenant_id), what="a look at the tenant")
    chance = random.Random(os.getpid())
    for number in range(calls):
        tokens_in, most = chance.randint(1, 200), chance.randint(1, 300)
        stuck = gets_stuck and number == 3
        try:
            hold = budgets.reserve(
                request,
                call_id=uuid4(),
                instance=INSTANCE,
                price=PRICE,
                tokens_in=tokens_in,
                max_tokens=most,
                expires_in_s=0.0 if stuck else 60.0,
                used_fallback=False,
            )
        except ProviderFailure as failure:
            say(refused=failure.kind)
            continue
        except UnavailableError as error:
            say(unavailable=error.code)
            continue
        if stuck:
            say(stuck=os.getpid())
            os.close(gate[1])
            signal.pause()
        usage = Usage(chance.randint(0, tokens_in), chance.randint(0, most))
        cost = pricing.cost_of(usage, PRICE)
        for _ in range(chance.choice((1, 1, 2))):
            budgets.settle(hold, usage=usage, cost=cost, outcome="ok", attempts=1, latency_ms=1.0)
        say(nano_usd=cost.nano_usd, tokens=usage.total_tokens)
        if number % 10 == 9:
            budgets.release_lost()


def main() -> None:
    tenant, run, money, tokens, processes, calls = sys.argv[1:]
    budget = None if run == "-" else RunBudget(*(None if each == "-" else int(each) for each in (money, tokens)))
    request = CompletionRequest(
        UUID(tenant),
        "ada",
        (Message("user", "x"),),
        run_id=None if run == "-" else UUID(run),
        run_budget=budget,
    )
    children, gate = [], os.pipe()
    for number in range(int(processes)):
        child = os.fork()  # nothing is connected yet
        if child == 0:
            failed = 1
            try:
                spend(request, int(calls), gets_stuck=number == 0, gate=gate)
                failed = 0
            finally:
                if failed:
                    traceback.print_exc()
                os._exit(failed)
        children.append(child)
    os.close(gate[1])
    sys.exit(any(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) > 0 for child in children))


if __name__ == "__main__":
    main()
