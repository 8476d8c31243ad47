"""What does the gateway add to a call? Against the plain `openai` client, on one server that speaks the same wire.

The gateway does what it always does: model and default looked up, budget held and settled in PostgreSQL, breaker and
slots in Redis, books, metrics. The peer does none of that: one client, one request.

python benchmarks/llm.py [--calls 300] [--rounds 5] [--streams 50] [--seconds 4]
"""

import statistics
import threading
import time
from collections.abc import Callable
from uuid import UUID

from report import arguments, percentile, say, spread, table, verdict
from setting import Setting, free_port

MODEL = "echo"
TEXT = "How many genes are associated with the disease?"
TARGET_MS = 2.0
Call = Callable[[], float]


def timed(call: Call, count: int) -> list[float]:
    """What ``call`` measured, ``count`` times, in ms."""
    return [call() * 1000 for _ in range(count)]


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
        for call in (plain, ours, plain_stream, our_stream):
            timed(call, 30)
        figures: dict[str, list[float]] = {name: [] for name in ("plain", "ours", "plain first", "our first")}
        added: dict[str, list[float]] = {"whole": [], "first": [], "whole p99": []}
        rates: dict[str, list[float]] = {"plain": [], "ours": []}
        for number in range(options.rounds):
            took = {
                "plain": timed(plain, options.calls),
                "ours": timed(ours, options.calls),
                "plain first": timed(plain_stream, options.calls),
                "our first": timed(our_stream, options.calls),
            }
            for name, values in took.items():
                figures[name].append(statistics.median(values))
            added["whole"].append(figures["ours"][-1] - figures["plain"][-1])
            added["first"].append(figures["our first"][-1] - figures["plain first"][-1])
            added["whole p99"].append(percentile(took["ours"], 0.99) - percentile(took["plain"], 0.99))
            rates["plain"].append(together(plain_stream, options.streams, options.seconds))
            rates["ours"].append(together(our_stream, options.streams, options.seconds))
            assert afterwards.finish(), "books that are never settled"
            say(f"round {number + 1}: added {added['whole'][-1]:.2f} ms, first piece {added['first'][-1]:.2f} ms")
    whole, first = statistics.median(added["whole"]), statistics.median(added["first"])
    table(
        "One call after the other, ms",
        ("what", "openai client", "gateway", "added", "target"),
        [
            ("whole answer, p50", spread(figures["plain"], 2), spread(figures["ours"], 2), f"{whole:.2f}",
             verdict(whole, TARGET_MS, at_most=True)),
            ("whole answer, p99", "", "", spread(added["whole p99"], 2), ""),
            ("first piece of a stream, p50", spread(figures["plain first"], 2), spread(figures["our first"], 2),
             f"{first:.2f}", verdict(first, TARGET_MS, at_most=True)),
        ],
    )  # fmt: skip
    share = statistics.median(mine / other for mine, other in zip(rates["ours"], rates["plain"], strict=True))
    table(
        f"{options.streams} streams at once in one process, whole streams a second",
        ("openai client", "gateway", "ratio"),
        [(spread(rates["plain"]), spread(rates["ours"]), f"{share:.2f}")],
    )


if __name__ == "__main__":
    main()
