"""Providers that mean harm, or are only odd: the adapters against answers that a test lays into the server."""

import json
import os
import time
from typing import Any

import pytest

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import Adapter
from apps.llm.types import Message, ToolCall, Usage
from devkit.llm_stub import Stub
from devkit.llm_stub_model import Reply
from tests.clients import PATIENCE_S
from tests.integration.llm.wire_clients import KEY, LOOK, call, failure, make, streamed


def lay(stub: Stub, kind: str, *messages: dict[str, Any], stream: bool, **more: Any) -> str:
    """Have the model that is named answer with these messages, in the wire's own frame; ``more``: beside them."""
    if kind == "ollama":
        steps = [{"message": message, "done": False, **more} for message in messages]
        steps[-1]["done"] = True
        body = b"".join(json.dumps(step).encode() + b"\n" for step in steps)
    elif stream:
        chunks = [{"choices": [{"delta": message, "finish_reason": None}], **more} for message in messages]
        chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    else:
        body = json.dumps({"choices": [{"message": messages[0], "finish_reason": "stop"}], **more}).encode()
    stub.scripted["scripted"] = Reply(raw=body)
    return "scripted"


@pytest.mark.parametrize(
    "message",
    [
        {"tool_calls": 5},
        {"tool_calls": True},
        {"tool_calls": "abc"},
        {"tool_calls": {"function": {}}},
        {"tool_calls": [None]},
        {"tool_calls": [{"index": 0, "function": None}]},
        {"tool_calls": [{"index": 0, "function": {"name": 5, "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "n" * 256, "arguments": "{}"}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": 7}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": '{"q": NaN}'}}]},
        {"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": '{"q": 1e999}'}}]},
        {"content": 42},
        {"content": ["a", "b"]},
    ],
    ids=lambda message: json.dumps(message)[:60],
)
@pytest.mark.requirement("security:119")
def test_parts_of_the_wrong_type_are_garbage(adapter: Adapter, kind: str, stub: Stub, message: dict[str, Any]) -> None:
    for stream in (False, True):
        model = lay(stub, kind, message, stream=stream)

        assert failure(adapter, call(model, tools=(LOOK,)), stream=stream).kind is FailureKind.GARBAGE


@pytest.mark.requirement("security:119")
def test_no_nul_comes_through_for_no_database_can_hold_it(adapter: Adapter, kind: str, stub: Stub) -> None:
    arguments: Any = {"a\0": ["x\0y", {"b": "\0"}]}
    function = {"name": "lo\0ok", "arguments": arguments if kind == "ollama" else json.dumps(arguments)}
    call_out = {"index": 0, "id": "i\0d", "function": function}
    for stream in (False, True):
        model = lay(stub, kind, {"content": "a\0b", "tool_calls": [call_out]}, stream=stream, model="m\0n")

        answer = streamed(adapter, call(model))[1] if stream else adapter.complete(call(model))

        assert (answer.text, answer.model_id) == ("ab", "mn")
        assert answer.tool_calls == (ToolCall("id", "look", {"a": ["xy", {"b": ""}]}),)


@pytest.mark.parametrize("usage", [5, [1], {"prompt_tokens": "9", "completion_tokens": 1.5}, {"prompt_tokens": True}])
@pytest.mark.requirement("security:119")
def test_usage_of_the_wrong_type_counts_nothing(adapter: Adapter, kind: str, stub: Stub, usage: Any) -> None:
    names = {"prompt_tokens": "prompt_eval_count", "completion_tokens": "eval_count"}
    told = {"usage": usage}
    if kind == "ollama":
        told = (
            {names[name]: value for name, value in usage.items()} if isinstance(usage, dict) else {"eval_count": usage}
        )

    for stream in (False, True):
        model = lay(stub, kind, {"content": "ok"}, stream=stream, **told)
        answer = streamed(adapter, call(model))[1] if stream else adapter.complete(call(model))

        assert answer.usage in (None, Usage(0, 0), Usage(0, 5 if kind == "ollama" else 0))


@pytest.mark.requirement("llm:wire-failures")
def test_an_error_with_status_200_is_told_apart_and_holds_no_key(adapter: Adapter, stub: Stub) -> None:
    said = {
        f"the key {KEY} is\x1b[31m bad\0": FailureKind.GARBAGE,
        "model 'phi3' not found, try pulling it first": FailureKind.NOT_FOUND,
        "the input length exceeds the context length": FailureKind.CONTEXT_LENGTH,
    }
    for text, kind_of in said.items():
        for error in (text, {"message": text, "code": 500}):
            for stream in (False, True):
                body = json.dumps({"error": error}).encode() + b"\n"
                stub.scripted["scripted"] = Reply(raw=b"data: " + body + b"\n" if _sse(adapter, stream) else body)
                failed = failure(adapter, call("scripted"), stream=stream)

                assert failed.kind is kind_of, (text, failed.detail)
                assert failed.detail.isprintable()
                assert text[:7] in failed.detail


@pytest.mark.parametrize("kind", ["openai"], indirect=True)
@pytest.mark.requirement("llm:wire-failures")
def test_an_error_with_status_200_may_name_the_status_that_it_means(adapter: Adapter, stub: Stub) -> None:
    for code, kind_of in ((429, FailureKind.RATE_LIMIT), ("401", FailureKind.AUTH), (10**400, FailureKind.GARBAGE)):
        body = json.dumps({"error": {"message": "no", "code": code}}).encode()
        stub.scripted["scripted"] = Reply(raw=b"data: " + body + b"\n\n")
        streaming = failure(adapter, call("scripted"), stream=True)
        stub.scripted["scripted"] = Reply(raw=body)

        assert {streaming.kind, failure(adapter, call("scripted")).kind} == {kind_of}


@pytest.mark.parametrize("kind", ["azure", "openai"], indirect=True)
@pytest.mark.requirement("llm:wire-stream")
def test_no_mark_comment_or_line_end_costs_a_stream_its_beginning(adapter: Adapter, stub: Stub) -> None:
    lay(stub, "openai", {"content": "Once "}, {"content": "upon"}, stream=True)
    body = stub.scripted["scripted"].raw or b""  # type: ignore[union-attr]
    azures = b'data: {"choices": [], "model": ""}\n\n'

    for raw in (b"\xef\xbb\xbf" + body, b": wait\n\n:\n" + body, azures + body, body.replace(b"\n", b"\r\n")):
        stub.scripted["scripted"] = Reply(raw=raw)

        assert streamed(adapter, call("scripted"))[0] == ["Once ", "upon"]


@pytest.mark.parametrize("kind", ["azure", "openai"], indirect=True)
@pytest.mark.requirement("llm:wire-tools")
def test_pieces_of_tool_calls_that_nobody_counts_are_told_apart_by_their_ids(adapter: Adapter, stub: Stub) -> None:
    pieces = [
        {"id": "a", "function": {"name": "look", "arguments": '{"q":'}},
        {"function": {"arguments": ' "x"}'}},
        {"id": "b", "function": {"name": "look", "arguments": "{}"}},
    ]
    model = lay(stub, "openai", *({"tool_calls": [piece]} for piece in pieces), stream=True)

    _, answer = streamed(adapter, call(model, tools=(LOOK,)))

    assert answer.tool_calls == (ToolCall("a", "look", {"q": "x"}), ToolCall("b", "look", {}))


@pytest.mark.requirement("llm:wire-cut")
def test_whatever_goes_wrong_after_the_first_piece_is_an_interruption(adapter: Adapter, kind: str, stub: Stub) -> None:
    for text in ("model not found", "the context window is full", "out of memory"):
        lay(stub, kind, {"content": "Once "}, {"content": "upon"}, stream=True)
        raw = (stub.scripted["scripted"].raw or b"").splitlines(keepends=True)
        error = json.dumps({"error": text}).encode() + b"\n"
        stub.scripted["scripted"] = Reply(
            raw=b"".join(raw[:1]) + (error if kind == "ollama" else b"\ndata: " + error + b"\n")
        )

        assert failure(adapter, call("scripted"), stream=True).kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize("status", [401, 403, 404, 429])
@pytest.mark.requirement("llm:wire-failures")
def test_a_refusal_that_speaks_of_the_context_is_what_its_status_says(
    adapter: Adapter, stub: Stub, status: int
) -> None:
    stub.scripted["scripted"] = Reply(status=status, error="No access to models with this context window.")

    assert failure(adapter, call("scripted")).kind is not FailureKind.CONTEXT_LENGTH


@pytest.mark.parametrize(
    ("stated", "at_most"),
    [("7", 7), ("0", 0), ("1000000000", 86_400), ("9" * 400, 86_400), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400)]
    + [(odd, None) for odd in ("-5", "nan", "inf", "soon", "7, 9", "Wed, 99 Oct")],
)
@pytest.mark.requirement("security:119")
def test_retry_after_is_never_negative_nor_endless(
    adapter: Adapter, stub: Stub, stated: str, at_most: float | None
) -> None:
    stub.scripted["scripted"] = Reply(status=429, retry_after=stated)

    assert failure(adapter, call("scripted")).retry_after_s == at_most


@pytest.mark.requirement("llm:wire-request")
def test_a_text_that_has_no_utf_8_is_a_bad_request(adapter: Adapter) -> None:
    for stream in (False, True):
        asked = call("echo", messages=(Message("user", "half a pair: \ud800"),))

        assert failure(adapter, asked, stream=stream).kind is FailureKind.BAD_REQUEST


@pytest.mark.parametrize("kind", ["azure", "openai"], indirect=True)
@pytest.mark.requirement("llm:wire-request")
def test_a_model_that_wants_the_newer_name_of_max_tokens_gets_it(adapter: Adapter, stub: Stub) -> None:
    for stream in (False, True):
        model = f"reasoning-{type(adapter).__name__}-{stream}"
        stub.refuses_max_tokens.add(model)
        before = stub.seen.requests
        for _ in range(2):
            answer = streamed(adapter, call(model))[1] if stream else adapter.complete(call(model))
            assert answer.text == "You said: Hello there"
        body = stub.seen.last_body

        assert (body["max_completion_tokens"], "max_tokens" in body) == (64, False)
        assert stub.seen.requests == before + 3  # it is learnt with the first refusal
    adapter.complete(call("echo"))
    assert stub.seen.last_body["max_tokens"] == 64


@pytest.mark.requirement("llm:wire-request")
def test_ollamas_options_go_where_ollama_reads_them(stub: Stub) -> None:
    ollama = make("ollama", stub, extra={"keep_alive": "5m"})
    options = {
        "temperature": 0.1,
        "presence_penalty": 1,
        "num_keep": 4,
        "num_batch": 8,
        "num_ctx": 99,
        "use_mmap": True,
    }

    ollama.complete(call("echo", parameters={**options, "think": False}))
    body = stub.seen.last_body

    assert body["options"] == {**options, "num_predict": 64}
    assert (body["think"], body["keep_alive"], "num_ctx" in body) == (False, "5m", False)
    assert body["truncate"] is False  # what is too long is refused, not cut without a word
    ollama.close()


@pytest.mark.requirement("llm:wire-upkeep")
def test_a_download_of_forty_gigabytes_is_counted_in_full(stub: Stub) -> None:
    ollama, whole = make("ollama", stub), 40 * 10**9
    held, stub.pull_steps = (
        stub.pull_steps,
        [
            {"status": "pulling 1", "total": whole, "completed": whole // 2},
            {"status": "pulling 2", "total": "many", "completed": -3},
            {"status": "success"},
        ],
    )
    steps = list(ollama.pull("llama3:70b", CallLimits.within(PATIENCE_S)))

    assert [(step.completed_bytes, step.total_bytes) for step in steps] == [(whole // 2, whole), (0, 0), (None, None)]
    stub.pull_steps = held
    ollama.close()


@pytest.mark.requirement("security:119")
def test_many_lines_after_large_calls_cost_no_more_than_their_reading(adapter: Adapter, kind: str, stub: Stub) -> None:
    arguments: Any = {"q": "x" * 60_000}
    parts = [
        {"tool_calls": [{"index": n, "id": str(n), "function": {"name": "look", "arguments": one}}]}
        for n, one in enumerate([arguments if kind == "ollama" else json.dumps(arguments)] * 31)
    ]
    model = lay(stub, kind, *parts, *({"content": ""} for _ in range(5_000)), stream=True)

    began = time.thread_time()
    answer = streamed(adapter, call(model, limit_s=PATIENCE_S))[1]

    assert len(answer.tool_calls) == 31
    assert time.thread_time() - began < 15, "the square of their number takes minutes"


@pytest.mark.requirement("security:118")
def test_no_variable_of_the_environment_adds_to_a_request(
    kind: str, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OPENAI_ORG_ID",
        "OPENAI_PROJECT_ID",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_AD_TOKEN",
        "OPENAI_API_VERSION",
    ):
        monkeypatch.setitem(os.environ, name, "from-the-environment")
    adapter = make(kind, stub)

    adapter.complete(call("echo"))

    assert "from-the-environment" not in f"{stub.seen.last_path} {stub.seen.last_headers}"
    adapter.close()


@pytest.mark.requirement("llm:cancel-connection")
def test_a_stream_that_is_cancelled_while_it_waits_for_its_next_piece_ends(adapter: Adapter) -> None:
    seen: list[object] = []
    limits = CallLimits.within(PATIENCE_S, cancelled=lambda: bool(seen))

    with pytest.raises(ProviderFailure) as ended:
        for piece in adapter.stream(call("drip-0.5", limits=limits)):
            seen.append(piece)

    assert ended.value.kind is FailureKind.CANCELLED
    assert len(seen) in (1, 2)  # of four: a slow reader has the second already


def _sse(adapter: Adapter, stream: bool) -> bool:
    return stream and "Ollama" not in type(adapter).__name__
