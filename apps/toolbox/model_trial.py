"""One small question to a model, to see whether it answers, how, and what that costs."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from apps.llm import gateway
from apps.llm.errors import BudgetSpent, CompletionCancelled, CompletionError
from apps.llm.types import Attempt, CompletionRequest, CompletionResult, Message
from apps.toolbox.model import MODEL, is_over, model_named, stopping
from apps.tools.context import ToolContext
from apps.tools.spec import Rate, ToolInput, ToolOutput, tool

PROMPT = "Say hello in one short sentence."
PROMPT_CHARS = 4_000
ANSWER_TOKENS = 256
LIMIT_S = 60.0
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "minLength": 1}},
    "required": ["answer"],
    "additionalProperties": False,
}


class AttemptOut(BaseModel):
    """One try at one model."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    model: str
    failure: str | None = Field(description="Null for the one that answered.")
    duration_ms: float


class TestIn(ToolInput):
    action: Literal["test", "validate"] = Field(
        "test", description="validate: whether it keeps to a JSON Schema, as plans and structured answers need."
    )
    prompt: str = Field(PROMPT, min_length=1, max_length=PROMPT_CHARS)
    model: str | None = Field(
        None, min_length=1, max_length=255, description=f"{MODEL} Left out: your default, and what stands in for it."
    )


class TestOut(ToolOutput):
    action: str
    ok: bool = Field(description="test: it answered. validate: the answer fits, too.")
    model: str | None = Field(description="The one that answered.")
    provider: str | None
    text: str
    data: Any = Field(description="With validate: the answer, which fits {answer: text}.")
    problem: str = Field(description="Why it is not ok; empty when it is.")
    finish_reason: str | None
    used_fallback: bool
    input_tokens: int
    output_tokens: int
    cost_usd: float
    priced_by: str | None = Field(description="instance, catalogue, free, or unknown: nobody has a price.")
    latency_ms: float | None
    attempts: list[AttemptOut]
    call_id: UUID | None = Field(description="Names its rows in the books.")


@tool("model.test", effect="read", title="Test a model", permissions=("models:invoke",), rate=Rate(20, 60),
      timeout_s=LIMIT_S, example={"action": "test"})  # fmt: skip
def test(context: ToolContext, given: TestIn) -> TestOut:
    """Ask a model one short question: its answer, tokens, cost, time, and every attempt that was made.

    A model that is named is asked alone, so that its failure is seen. It is paid for and counts against the budgets.
    """
    wanted = None if given.model is None else model_named(context, given.model)
    request = CompletionRequest(
        tenant_id=context.tenant_id,
        user_sub=context.principal.sub,
        messages=(Message("user", given.prompt),),
        model=None if wanted is None else str(wanted.id),
        fallbacks=None if wanted is None else (),
        response_schema=SCHEMA if given.action == "validate" else None,
        max_tokens=ANSWER_TOKENS,
        deadline_s=max(0.1, min(LIMIT_S, context.left_s) - 0.5),  # to say that it took too long, instead of being ended
        purpose="test",
        run_id=context.run_id,
        cancelled=lambda: is_over(context),
    )
    try:
        with stopping(context):
            return _answered(given, gateway.complete(request))
    except (BudgetSpent, CompletionCancelled):
        raise
    except CompletionError as failure:
        return _failed(given, failure)


def _answered(given: TestIn, answer: CompletionResult) -> TestOut:
    return TestOut(
        action=given.action,
        ok=True,
        model=answer.instance,
        provider=answer.provider,
        text=answer.text,
        data=answer.data,
        problem="",
        finish_reason=answer.finish_reason,
        used_fallback=answer.used_fallback,
        input_tokens=answer.usage.input_tokens,
        output_tokens=answer.usage.output_tokens,
        cost_usd=answer.cost.usd,
        priced_by=answer.cost.priced_by,
        latency_ms=round(answer.latency_ms, 1),
        attempts=[_attempt(attempt) for attempt in answer.attempts],
        call_id=answer.call_id,
    )


def _failed(given: TestIn, failure: CompletionError) -> TestOut:
    call_id = failure.extra.get("call_id")
    return TestOut(
        action=given.action,
        ok=False,
        model=None,
        provider=None,
        text="",
        data=None,
        problem=failure.detail,
        finish_reason=None,
        used_fallback=False,
        input_tokens=0,
        output_tokens=0,
        cost_usd=0.0,
        priced_by=None,
        latency_ms=None,
        attempts=[_attempt(attempt) for attempt in failure.attempts],
        call_id=None if call_id is None else UUID(call_id),
    )


def _attempt(attempt: Attempt) -> AttemptOut:
    return AttemptOut(
        provider=attempt.provider,
        model=attempt.instance,
        failure=None if attempt.failure is None else str(attempt.failure),
        duration_ms=round(attempt.duration_ms, 1),
    )
