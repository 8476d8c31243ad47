"""What does the gateway add to a call? Against the plain `openai` client, on one server that speaks the same wire.

The gateway does what it always does: model and default looked up, budget held and settled in PostgreSQL, breaker and
slots in Redis, books, metrics. The peer does none of that: one client, one request. The two take turns, call by call,
so that noise hits both alike; what the gateway does after an answer is waited for in between and counted apart.

python benchmarks/llm.py [--calls 300] [--rounds 5] [--streams 50] [--seconds 4]
"""

import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from report import arguments, percentile, say, spread, table, verdict
from setting import Setting, free_port

MODEL = "echo"
TEXT = "How many genes are associated with the disease?"
TARGET_MS = 2.0
SETTLED_WITHIN_S = 60.0
Call = Callable[[], float]


@dataclass
class Taken:
    """What the calls of a round took, ms: by the clock, and of the caller's CPU."""

    ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def add(self, call: Call) -> None:
        cpu_s = time.thread_time()
        self.ms.append(call() * 1000)
        self.cpu_ms.append((time.thread_time() - cpu_s) * 1000)


@dataclass(frozen=True)
class Round:
    """The calls of both. ``after_ms``: CPU a call that the gateway's process took after its answers."""

    plain: Taken
    ours: Taken
    after_ms: float

    def added_ms(self, share: float) -> float:
        return percentile(self.ours.ms, share) - percentile(self.plain.ms, share)


def by_turns(plain: Call, ours: Call, count: int) -> Round:
    """Each ``count`` times."""
    from apps.llm.calling import afterwards

    takers = [(plain, Taken()), (ours, Taken())]
    process_s = 0.0
    for _ in range(count):
        takers.reverse()
        for call, taken in takers:
            began_s = time.process_time()
            taken.add(call)
            assert afterwards.finish(SETTLED_WITHIN_S), "books that are never settled"
            process_s += time.process_time() - began_s
    taken_by = dict(takers)
    callers_ms = sum(sum(taken.cpu_ms) for taken in taken_by.values())
    return Round(taken_by[plain], taken_by[ours], (process_s * 1000 - callers_ms) / count)


def plain_calls(url: str) -> tuple[Call, Call]:
    """(whole answer, first piece of a stream) by the openai client, in seconds."""
    import openai

    client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    messages = [{"role": "user", "content": TEXT}]

    def complete() -> float:
        began = time.perf_counter()
        answer = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=64)  # type: ignore[arg-type]
        assert answer.choices[0].message.content
        return time.perf_counter() - began

    def stream() -> float:
        began, first = time.perf_counter(), 0.0
        pieces = client.chat.completions.create(
            model=MODEL, messages=messages, max_tokens=64, stream=True, stream_options={"include_usage": True}
        )  # type: ignore[call-overload]
        for chunk in pieces:
            if not first and chunk.choices and chunk.choices[0].delta.content:
                first = time.perf_counter() - began
        assert first
        return float(first)

    return complete, stream


def gateway_calls(tenant_id: UUID) -> tuple[Call, Call]:
    """The same through the gateway."""
    from apps.llm import gateway
    from apps.llm.types import CompletionRequest, Message

    request = CompletionRequest(
        tenant_id, "bench", (Message("user", TEXT),), model="bench", max_tokens=64, fallbacks=(), deadline_s=30
    )

    def complete() -> float:
        began = time.perf_counter()
        assert gateway.complete(request).text
        return time.perf_counter() - began

    def stream() -> float:
        began, first = time.perf_counter(), 0.0
        with gateway.stream(request) as pieces:
            for _ in pieces:
                first = first or time.perf_counter() - began
        assert pieces.result.usage.output_tokens
        return first

    return complete, stream


def together(call: Call, threads: int, seconds: float) -> float:
    """Calls a second of so many threads."""
    from django.db import connections

    done, until = [0] * threads, time.monotonic() + seconds

    def run(number: int) -> None:
        try:
            while time.monotonic() < until:
                call()
                done[number] += 1
        finally:
            connections.close_all()

    crowd = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    began = time.monotonic()
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def prepared(url: str) -> UUID:
    """A tenant with one model at the server, daily budgets set, so that they are really looked at."""
    from apps.llm.models import ModelInstance, Provider
    from apps.tenancy.services import create_tenant
    from kernel.tenant_context import tenant_scope

    tenant = create_tenant(
        "bench", "Benchmark", tenant_settings={"quotas": {"tokens_per_day": 10**12, "cost_usd_per_day": 1e6}}
    )
    with tenant_scope(tenant.id):
        provider = Provider.objects.create(
            tenant_id=tenant.id, name="bench", type="openai", base_url=f"{url}/v1", config={"max_concurrency": 200}
        )
        ModelInstance.objects.create(
            tenant_id=tenant.id,
            provider=provider,
            instance_name="bench",
            model_id=MODEL,
            input_nano_usd=150,
            output_nano_usd=600,
        )
    return tenant.id


def main() -> None:
    options = arguments(__doc__, calls=300, rounds=5, streams=50, seconds=4.0)
    with Setting(AGENTIC_LLM_PRIVATE_HOSTS="127.0.0.0/8") as setting:
        port = free_port()
        setting.spawn("python", "-m", "devkit.llm_stub", "--port", str(port), name="llm-stub")
        url = f"http://127.0.0.1:{port}"
        setting.wait_for_http(f"{url}/v1/models", setting.spawned[-1])
        from apps.llm.calling import afterwards

        plain, plain_stream = plain_calls(url)
        ours, our_stream = gateway_calls(prepared(url))
        pairs = {"whole answer": (plain, ours), "stream's first piece": (plain_stream, our_stream)}
        rounds: dict[str, list[Round]] = {what: [] for what in pairs}
        rates: dict[str, list[float]] = {"plain": [], "ours": []}
        for pair in pairs.values():
            by_turns(*pair, 30)
        for number in range(options.rounds):
            for what, pair in pairs.items():
                rounds[what].append(by_turns(*pair, options.calls))
            rates["plain"].append(together(plain_stream, options.streams, options.seconds))
            rates["ours"].append(together(our_stream, options.streams, options.seconds))
            assert afterwards.finish(SETTLED_WITHIN_S), "books that are never settled"
            added = ", ".join(f"{what} {seen[-1].added_ms(0.5):.2f} ms" for what, seen in rounds.items())
            say(f"round {number + 1}: added to a {added}")
    rows: list[tuple[object, ...]] = []
    for what, seen in rounds.items():
        plain_ms = spread([statistics.median(one.plain.ms) for one in seen], 2)
        ours_ms = spread([statistics.median(one.ours.ms) for one in seen], 2)
        added_ms = [one.added_ms(0.5) for one in seen]
        met = verdict(statistics.median(added_ms), TARGET_MS, at_most=True)
        rows.append((f"{what}, p50", plain_ms, ours_ms, spread(added_ms, 2), met))
        rows.append((f"{what}, p99", "", "", spread([one.added_ms(0.99) for one in seen], 2), ""))
    table("By turns, ms", ("what", "openai client", "gateway", "added", "target"), rows)
    rows = []
    for what, seen in rounds.items():
        plain_ms = spread([statistics.median(one.plain.cpu_ms) for one in seen], 2)
        ours_ms = spread([statistics.median(one.ours.cpu_ms) for one in seen], 2)
        rows.append((what, plain_ms, ours_ms, spread([one.after_ms for one in seen], 2)))
    table("CPU of a call (of a whole stream), ms", ("what", "openai client", "gateway", "settled after"), rows)
    share = statistics.median(mine / other for mine, other in zip(rates["ours"], rates["plain"], strict=True))
    table(
        f"{options.streams} streams at once in one process, whole streams a second",
        ("openai client", "gateway", "ratio"),
        [(spread(rates["plain"]), spread(rates["ours"]), f"{share:.2f}")],
    )


if __name__ == "__main__":
    main()
