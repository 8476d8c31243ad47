"""The adapters against a real HTTP server that speaks each provider's wire, well and badly."""

import os
import time
from typing import Any

import openai
import pytest

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import Adapter
from apps.llm.types import Message, ToolCall, Usage
from devkit.llm_stub import Stub
from tests.clients import PATIENCE_S, wait_for
from tests.integration.llm.wire_clients import KEY, LOOK, call, failure, make, streamed


@pytest.mark.requirement("llm:wire-complete")
def test_an_answer_with_its_usage_and_model(adapter: Adapter) -> None:
    answer = adapter.complete(call("echo"))

    assert (answer.text, answer.finish_reason, answer.model_id) == ("You said: Hello there", "stop", "echo")
    assert answer.usage == Usage(4, 4)


@pytest.mark.requirement("llm:wire-stream")
def test_a_stream_of_the_same_answer(adapter: Adapter) -> None:
    pieces, whole = streamed(adapter, call("echo"))

    assert pieces == ["You ", "said: ", "Hello ", "there"]
    assert whole == adapter.complete(call("echo"))


@pytest.mark.requirement("llm:wire-request")
def test_what_is_asked_for_reaches_the_provider(adapter: Adapter, kind: str, stub: Stub) -> None:
    schema = {"type": "object"}
    adapter.complete(
        call("echo", max_tokens=7, temperature=0.5, stop=("END",), response_schema=schema, parameters={"seed": 3})
    )
    body, headers = stub.seen.last_body, stub.seen.last_headers

    if kind == "ollama":
        assert body["options"] == {"num_predict": 7, "temperature": 0.5, "stop": ["END"], "seed": 3}
        assert (body["format"], body["stream"]) == (schema, False)
    else:
        assert (body["max_tokens"], body["temperature"], body["stop"], body["seed"]) == (7, 0.5, ["END"], 3)
        assert body["response_format"]["json_schema"]["schema"] == schema
    if kind == "azure":
        assert headers["api-key"] == KEY
        assert stub.seen.last_path == "/openai/deployments/echo/chat/completions?api-version=2024-10-21"
    else:
        assert headers["authorization"] == f"Bearer {KEY}"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.requirement("llm:wire-request")
def test_an_azure_model_is_asked_for_by_its_deployment(stub: Stub) -> None:
    azure = make("azure", stub, deployments={"gpt-4o": "say:deployed"}, api_version="2030-01-01")

    assert azure.complete(call("gpt-4o")).text == "deployed"
    assert "api-version=2030-01-01" in stub.seen.last_path
    azure.close()


@pytest.mark.requirement("llm:wire-tools")
def test_a_tool_is_called_and_its_result_answered(adapter: Adapter) -> None:
    for one in (
        adapter.complete(call("tool", "BRCA1", tools=(LOOK,))),
        streamed(adapter, call("tool", "BRCA1", tools=(LOOK,)))[1],
    ):
        assert one.finish_reason == "tool_calls"
        assert [(tool.name, tool.arguments) for tool in one.tool_calls] == [("look", {"q": "BRCA1"})]
    done = ToolCall("call_0", "look", {"q": "BRCA1"})
    turns = (
        Message("user", "BRCA1"),
        Message("assistant", tool_calls=(done,)),
        Message("tool", "a gene", tool_call_id="call_0", name="look"),
    )

    assert adapter.complete(call("tool", messages=turns, tools=(LOOK,))).text == "The tool gave: a gene"


@pytest.mark.requirement("llm:wire-tools")
def test_turns_with_tools_keep_everything_in_the_wires_own_shape(adapter: Adapter, kind: str, stub: Stub) -> None:
    calls = (ToolCall("a", "look", {"q": "È"}), ToolCall("b", "list", {}))
    turns = (
        Message("assistant", "I look.", tool_calls=calls),
        Message("tool", "a gene", tool_call_id="a", name="look"),
        Message("tool", "", tool_call_id="b", name="list"),
    )

    adapter.complete(call("echo", messages=(Message("user", "È?"), *turns)))
    asked, said, first, second = stub.seen.last_body["messages"]

    assert asked == {"role": "user", "content": "È?"}
    assert (said["role"], said["content"]) == ("assistant", "I look.")
    if kind == "ollama":
        assert [one["function"] for one in said["tool_calls"]] == [
            {"name": "look", "arguments": {"q": "È"}},
            {"name": "list", "arguments": {}},
        ]
        assert [first, second] == [
            {"role": "tool", "content": "a gene", "tool_name": "look"},
            {"role": "tool", "content": "", "tool_name": "list"},
        ]
    else:
        assert said["tool_calls"] == [
            {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"q":"È"}'}},
            {"id": "b", "type": "function", "function": {"name": "list", "arguments": "{}"}},
        ]
        assert [first, second] == [
            {"role": "tool", "tool_call_id": "a", "content": "a gene"},
            {"role": "tool", "tool_call_id": "b", "content": ""},
        ]


@pytest.mark.requirement("llm:wire-failures")
def test_refusals_are_told_apart(adapter: Adapter, kind: str, stub: Stub) -> None:
    limited = failure(adapter, call("fail-429-after-7"))
    dated = failure(adapter, call("fail-503-after-Wed, 21 Oct 2015 07:28:00 GMT"))
    wrong = make(kind, stub, key="wrong-key")

    assert (limited.kind, limited.retry_after_s, limited.status_code) == (FailureKind.RATE_LIMIT, 7.0, 429)
    assert (dated.kind, dated.retry_after_s) == (FailureKind.SERVER, 0.0)
    assert failure(adapter, call("fail-500"), stream=True).kind is FailureKind.SERVER
    assert failure(adapter, call("fail-400")).kind is FailureKind.BAD_REQUEST
    assert failure(adapter, call("context")).kind is FailureKind.CONTEXT_LENGTH
    assert failure(adapter, call("missing")).kind is FailureKind.NOT_FOUND
    assert failure(wrong, call("echo")).kind is FailureKind.AUTH
    assert failure(adapter, call("fail-302")).kind is FailureKind.GARBAGE
    wrong.close()


@pytest.mark.requirement("llm:wire-failures")
def test_a_provider_that_repeats_the_key_does_not_get_it_into_the_failure(kind: str, stub: Stub) -> None:
    leaky = make(kind, stub, key="server")  # the stub says "The server says 500."

    assert failure(leaky, call("fail-500")).detail.endswith("The (key) says 500.")
    leaky.close()


@pytest.mark.requirement("llm:wire-slow")
def test_a_late_first_byte_and_a_slow_drip_are_time_outs(adapter: Adapter) -> None:
    for stream in (False, True):
        late = failure(adapter, call("slow-first-60", first_byte_s=0.1), stream=stream)
        slow = failure(adapter, call("drip-0.1", limit_s=0.15), stream=stream)

        assert (late.kind, "begin" in late.detail) == (FailureKind.TIMEOUT, True)
        assert slow.kind is FailureKind.TIMEOUT


@pytest.mark.requirement("llm:wire-cut")
def test_a_cut_connection_is_a_failure_wherever_it_was_cut(adapter: Adapter) -> None:
    assert failure(adapter, call("cut-0")).kind is FailureKind.CONNECTION
    assert failure(adapter, call("cut-2")).kind in (FailureKind.CONNECTION, FailureKind.GARBAGE)
    assert failure(adapter, call("cut-0"), stream=True).kind is FailureKind.CONNECTION
    seen = []
    with pytest.raises(ProviderFailure) as broken:
        for piece in adapter.stream(call("cut-1")):
            seen.append(piece)

    assert len(seen) >= 1
    assert broken.value.kind is FailureKind.INTERRUPTED


@pytest.mark.parametrize(
    "model", ["html", "truncated", "bad-utf8", "no-choices", "number-text", "bad-arguments", "huge-tool"]
)
@pytest.mark.requirement("security:119")
def test_what_is_no_answer_is_garbage(adapter: Adapter, kind: str, model: str) -> None:
    if model == "number-text" and kind == "ollama":
        model = "no-choices"
    for stream in (False, True):
        assert failure(adapter, call(model, tools=(LOOK,)), stream=stream).kind is FailureKind.GARBAGE


@pytest.mark.requirement("security:119")
def test_thousands_of_tool_calls_and_a_stream_without_end_are_cut(adapter: Adapter) -> None:
    many = failure(adapter, call("many-tools", tools=(LOOK,)))
    endless = CallLimits.within(PATIENCE_S, max_bytes=1_000_000)

    assert many.kind in (FailureKind.TOO_LARGE, FailureKind.GARBAGE)
    assert failure(adapter, call("endless", limits=endless), stream=True).kind is FailureKind.TOO_LARGE


@pytest.mark.requirement("security:119")
def test_absurd_counts_are_not_believed(adapter: Adapter) -> None:
    assert adapter.complete(call("negative-usage")).usage == Usage(0, 0)
    assert adapter.complete(call("no-usage")).usage is None
    huge = adapter.complete(call("huge-usage")).usage
    assert huge is not None
    assert huge.input_tokens <= 10**9


@pytest.mark.requirement("llm:cancel-connection")
def test_leaving_a_stream_closes_the_connection(adapter: Adapter, stub: Stub) -> None:
    before = stub.seen.closed_early
    pieces = adapter.stream(call("drip-0.05"))

    assert next(iter(pieces)) == "You "
    pieces.close()  # type: ignore[attr-defined]

    wait_for(lambda: stub.seen.closed_early > before, what="the server seeing the connection close")


@pytest.mark.requirement("llm:cancel-connection")
def test_a_call_that_is_cancelled_while_it_waits_closes_the_connection(adapter: Adapter, stub: Stub) -> None:
    before, began = stub.seen.closed_early, time.monotonic()
    limits = CallLimits.within(PATIENCE_S, cancelled=lambda: time.monotonic() > began + 0.1)

    assert failure(adapter, call("slow-first-60", limits=limits)).kind is FailureKind.CANCELLED
    assert time.monotonic() - began < PATIENCE_S / 3
    wait_for(lambda: stub.seen.closed_early > before, what="the server seeing the connection close")


@pytest.mark.requirement("llm:wire-upkeep")
def test_models_are_listed_and_made_ready(adapter: Adapter, kind: str, stub: Stub) -> None:
    adapter.warm_up("echo", CallLimits.within(PATIENCE_S))
    names = [model.model_id for model in adapter.list_models(CallLimits.within(PATIENCE_S))]

    assert "echo" in names
    if kind == "ollama":
        progress = list(adapter.pull("phi3:mini", CallLimits.within(PATIENCE_S)))
        assert [(step.completed_bytes, step.total_bytes) for step in progress[1:4]] == [
            (0, 1000),
            (500, 1000),
            (1000, 1000),
        ]
        assert "phi3:mini" in [model.model_id for model in adapter.list_models(CallLimits.within(PATIENCE_S))]
        with pytest.raises(ProviderFailure) as missing:
            list(adapter.pull("missing", CallLimits.within(PATIENCE_S)))
        assert missing.value.kind is FailureKind.NOT_FOUND
    else:
        with pytest.raises(ProviderFailure) as refused:
            list(adapter.pull("phi3:mini", CallLimits.within(PATIENCE_S)))
        assert refused.value.kind is FailureKind.UNSUPPORTED


@pytest.mark.requirement("security:118")
def test_the_environment_sends_no_call_elsewhere(kind: str, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "OLLAMA_HOST", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setitem(os.environ, name, "http://127.0.0.1:9")
    monkeypatch.setitem(os.environ, "OPENAI_API_KEY", "sk-from-the-environment")
    adapter = make(kind, stub)

    assert adapter.complete(call("echo")).text == "You said: Hello there"
    assert "sk-from-the-environment" not in str(stub.seen.last_headers)
    adapter.close()


@pytest.mark.requirement("llm:wire-stream")
def test_a_streams_connection_is_used_again(kind: str, stub: Stub) -> None:
    adapter = make(kind, stub)
    began = stub.seen.connections

    for _ in range(5):
        streamed(adapter, call("echo"))
        adapter.complete(call("echo"))

    assert stub.seen.connections == began + 1
    adapter.close()


def test_the_stub_speaks_what_the_openai_package_understands(stub: Stub) -> None:
    client = openai.OpenAI(base_url=f"{stub.url}/v1", api_key="any", max_retries=0)
    asked: Any = {"model": "echo", "messages": [{"role": "user", "content": "Hello"}]}

    whole = client.chat.completions.create(**asked)
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    with pytest.raises(openai.RateLimitError):
        client.chat.completions.create(**{**asked, "model": "fail-429"})

    assert whole.choices[0].message.content == "You said: Hello"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "You said: Hello"
    assert chunks[-1].usage is not None
    client.close()
