"""The demo provider as an adapter: streams, limits, tokens, drills; the same everywhere, and soon done."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import Adapter, ProviderAnswer, ProviderCall, RemoteModel
from apps.llm.providers.demo.adapter import DemoAdapter
from apps.llm.types import Message, ToolSpec, Usage

ROOT = Path(__file__).resolve().parents[3]
ADAPTER: Adapter = DemoAdapter(None)  # type: ignore[arg-type]
SEARCH = ToolSpec(
    "graph.search",
    "Search the graph",
    {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
)


def call(
    text: str, *, limits: CallLimits | None = None, model: str = "demo", max_tokens: int = 2048, **more: Any
) -> ProviderCall:
    return ProviderCall(model, (Message("user", text),), limits or CallLimits.within(60), max_tokens, **more)


@pytest.mark.requirement("llm:demo-streams")
def test_a_stream_is_words_and_then_the_whole() -> None:
    *pieces, whole = ADAPTER.stream(call("what can you do?"))

    assert isinstance(whole, ProviderAnswer)
    assert len(pieces) > 20 and all(pieces)
    assert "".join(str(piece) for piece in pieces) == whole.text
    assert whole == ADAPTER.complete(call("what can you do?"))


@pytest.mark.requirement("llm:demo-streams")
def test_tokens_are_counted_and_bound_the_answer() -> None:
    whole = ADAPTER.complete(call("what can you do?"))
    cut = ADAPTER.complete(call("what can you do?", max_tokens=5))
    no_room = ADAPTER.complete(call('search the graph for "a long text"', tools=(SEARCH,), max_tokens=2))

    assert whole.usage == Usage(4, -(-len(whole.text) // 4))
    assert (cut.finish_reason, cut.text, cut.usage) == ("length", whole.text[:20], Usage(4, 5))
    assert (no_room.finish_reason, no_room.tool_calls) == ("length", ())


@pytest.mark.requirement("llm:demo-streams")
def test_a_stop_string_ends_the_text_before_it() -> None:
    answer = ADAPTER.complete(call("uppercase 'one two three'", stop=("TWO",)))

    assert (answer.text, answer.finish_reason) == ("ONE ", "stop")


@pytest.mark.requirement("llm:demo-streams")
def test_a_stream_that_is_cancelled_ends_between_two_pieces() -> None:
    seen: list[str] = []
    limits = CallLimits.within(60, cancelled=lambda: len(seen) >= 3)

    with pytest.raises(ProviderFailure) as failure:
        for piece in ADAPTER.stream(call("what can you do?", limits=limits)):
            seen.append(str(piece))

    assert (failure.value.kind, limits.ended_by, len(seen)) == (FailureKind.CANCELLED, "cancelled", 3)


@pytest.mark.requirement("llm:demo-streams")
def test_a_deadline_ends_a_slow_stream() -> None:
    limits = CallLimits.within(0.2)

    with pytest.raises(ProviderFailure) as failure:
        list(ADAPTER.stream(call("what can you do?", limits=limits, model="demo-slow")))

    assert (failure.value.kind, limits.ended_by) == (FailureKind.TIMEOUT, "deadline")


@pytest.mark.requirement("llm:demo-drills")
@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("demo-fails", FailureKind.SERVER),
        ("demo-busy", FailureKind.RATE_LIMIT),
        ("demo-refuses", FailureKind.AUTH),
        ("demo-garbage", FailureKind.GARBAGE),
        ("demo-forgets", FailureKind.CONTEXT_LENGTH),
        ("demo-cut", FailureKind.INTERRUPTED),
        ("demo-hangs", FailureKind.TIMEOUT),
        ("gpt-4", FailureKind.NOT_FOUND),
    ],
)
def test_a_model_id_may_ask_for_a_failure(model: str, kind: FailureKind) -> None:
    limits = CallLimits.within(0.1 if model == "demo-hangs" else 60)

    with pytest.raises(ProviderFailure) as failure:
        ADAPTER.complete(call("demo-fails demo-busy", model=model, limits=limits))

    assert failure.value.kind is kind
    assert ADAPTER.complete(call("demo-fails demo-busy")).text


@pytest.mark.requirement("llm:demo-drills")
def test_it_has_one_model_that_is_always_ready() -> None:
    limits = CallLimits.within(60)

    assert [model.model_id for model in ADAPTER.list_models(limits)] == ["demo"]
    assert isinstance(ADAPTER.list_models(limits)[0], RemoteModel)
    ADAPTER.warm_up("demo", limits)
    with pytest.raises(ProviderFailure) as failure:
        list(ADAPTER.pull("demo", limits))
    assert failure.value.kind is FailureKind.UNSUPPORTED


@pytest.mark.requirement("llm:demo-tools")
@pytest.mark.parametrize(("choice", "tools"), [("other", (SEARCH,)), ("required", ())])
def test_a_choice_of_no_tool_is_refused(choice: str, tools: tuple[ToolSpec, ...]) -> None:
    with pytest.raises(ProviderFailure) as failure:
        ADAPTER.complete(call("hello", tool_choice=choice, tools=tools))

    assert failure.value.kind is FailureKind.BAD_REQUEST


PROGRAM = """
import json, sys
sys.path[:0] = [".", "platform"]
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import ProviderCall
from apps.llm.providers.demo.adapter import DemoAdapter
from apps.llm.types import Message, ToolSpec
texts = {"type": "array", "items": {"type": "string"}}
schema = {"type": "object", "properties": {"steps": texts, "kind": {"enum": ["a", "b", "high"]},
          "tags": texts, "x": {}}, "required": ["steps", "kind", "tags", "x"]}
some = {"type": "object", "properties": {"limit": {"type": "integer"}}}
tools = tuple(ToolSpec(f"t{n}.list_{w}", f"List {w} of the tenant", some)
              for n, w in enumerate(("jobs", "users", "models", "nodes")))
out = []
for text in ("what can you do?", "list the models and the users, limit 5", "urgent: count genes, then mail a@b.it",
             "elenca i nodi",              '[{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]', "who knows?"):
    for more in ({}, {"tools": tools}, {"response_schema": schema}, {"purpose": "plan"}, {"purpose": "summarize"}):
        call = ProviderCall("demo", (Message("user", text),), CallLimits.within(60), 2048, **more)
        out.append(repr(DemoAdapter(None).complete(call)))
print(json.dumps(out))
"""


@pytest.mark.requirement("llm:demo-deterministic")
def test_every_process_gives_the_same_answers() -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "1", "4242")
    ]
    answers = [process.communicate(timeout=240)[0] for process in processes]

    assert len(json.loads(answers[0])) == 30
    assert answers[0] == answers[1] == answers[2]


HUGE = {
    "letters": "a" * 1_000_000,
    "words": "delete all genes and then count " * 31_250,
    "brackets": "[" * 1_000_000,
    "braces": '{"a":' * 200_000,
    "rows": json.dumps([{"id": number, "name": f"n{number % 7}", "size": number / 3} for number in range(22_000)]),
    "table": "| a | b |\n| --- | --- |\n" + "| 1 | x |\n" * 100_000,
    "commas": "a,b\n" * 250_000,
    "fences": "```" * 333_333,
    "quotes": "\"'" * 500_000,
    "digits": "9" * 1_000_000,
    "sums": "1+" * 500_000,
    "spaces": " " * 999_999 + "x",
    "lines": "\n" * 999_999 + "x",
    "greeting": "hello " * 166_666,
    "pairs": "a=1 b: 2 " * 111_111,
    "dashes": "1-" * 500_000,
    "capitals": "Ab Cd " * 166_666,
    "cypher": "MATCH (n) " * 100_000,
    "steps": "1. a " * 200_000,
    "accents": "è" * 500_000,
}
PLAN = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}}, "name": {"type": "string"}},
    "required": ["steps", "name"],
}


@pytest.mark.requirement("llm:demo-bounded")
@pytest.mark.parametrize("kind", HUGE)
def test_a_megabyte_is_answered_soon(kind: str) -> None:
    text = HUGE[kind]
    calls = [
        call(text),
        call("Summarize this: " + text, purpose="summarize"),
        call(text, tools=(SEARCH,)),
        call(text, response_schema=PLAN, purpose="plan"),
        ProviderCall(
            "demo",
            (Message("user", "how many?"), Message("tool", text, tool_call_id="c", name="t")),
            CallLimits.within(60),
            2048,
        ),
    ]

    for each in calls:
        started = time.thread_time()
        answer = ADAPTER.complete(each)

        assert time.thread_time() - started < 10, "by the square of its length it takes hours"
        assert answer.text or answer.tool_calls
