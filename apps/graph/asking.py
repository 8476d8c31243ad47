"""Questions in plain words, answered from the caller's own graph: the six stages with everything outside wired to them.

The model goes through apps.llm.gateway, the query through the gate and the door (queries.py). Where the default model
is the demo adapter's, no model is asked: the grammar generates, tables become sentences, and nothing is degraded.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.graph import client, queries
from apps.graph.gate.verdict import GateRefusal, Passed
from apps.graph.nl2cypher import pipeline
from apps.graph.nl2cypher.types import Answer, ModelFailed, Parameters, Ports, Prompt, Refusal, Refused, Said
from apps.graph.results import Rows
from apps.identity.principal import Principal
from apps.llm import defaults, gateway
from apps.llm.catalogue import catalogue_of
from apps.llm.errors import BudgetSpent, CompletionCancelled, CompletionError
from apps.llm.types import CompletionRequest, CompletionResult, Message, RunBudget
from kernel.errors import ConflictError, NotFoundError, ValidationError

MODEL_S = 30.0  # for a query, and as much for a summary
MAX_TOKENS = 1_000
DEMO = "demo"


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """The run that asks: its models' calls are on its books. ``heard`` gets each answer of a model.

    When the run's budget or a caller's does not pay for a call, BudgetSpent comes out instead of a plainer answer.
    """

    run_id: UUID
    run_budget: RunBudget | None = None
    deadline_s: float = MODEL_S
    cancelled: Callable[[], bool] | None = None
    heard: Callable[[CompletionResult], None] | None = None


def ask(
    principal: Principal,
    question: str,
    *,
    model: str | None = None,
    explain: bool = False,
    summarize: bool = True,
    row_limit: int | None = None,
    timeout_s: float | None = None,
    behalf: OnBehalf | None = None,
) -> Answer:
    """The answer with the query and the rows it stands on, or a refused one with the reason. ``explain``: nothing runs.

    ``model``: name or id of a model instance; None: the default. ``summarize``: whether a model may put the rows into
    words. ``timeout_s``: of the query. Errors of the door (apps/graph/errors.py) and an unknown model's NotFoundError
    are the caller's.
    """
    ports = ports_for(principal, model=model, row_limit=row_limit, timeout_s=timeout_s, behalf=behalf)
    return pipeline.answer(question, ports, explain=explain, summary_by_model=summarize)


def write(principal: Principal, question: str, *, model: str | None = None, behalf: OnBehalf | None = None) -> Answer:
    """The query for a question, through the gate; nothing runs and nothing is explained."""
    return pipeline.write(question, ports_for(principal, model=model, behalf=behalf))


def ports_for(
    principal: Principal,
    *,
    model: str | None = None,
    row_limit: int | None = None,
    timeout_s: float | None = None,
    behalf: OnBehalf | None = None,
) -> Ports:
    """What the stages may call, in this caller's name."""
    wanted = min(row_limit or settings.GRAPH_ROW_LIMIT, settings.GRAPH_ROW_LIMIT)

    def inspect(cypher: str, parameters: Parameters) -> Passed:
        try:
            passed = queries.inspected(principal, cypher, parameters, rows=wanted, timeout_s=timeout_s)
        except GateRefusal as refusal:
            raise Refused(Refusal("validate", refusal.layer, refusal.message, refusal.hint)) from refusal
        if passed.mode != "run":
            reason = f"The query says {passed.mode.upper()}; that is asked for in the question."
            raise Refused(Refusal("validate", "syntax", reason, "Leave it out."))
        return passed

    def read(passed: Passed) -> Rows:
        return queries.read(principal, passed, cancelled=None if behalf is None else behalf.cancelled)

    def plan(passed: Passed) -> str:
        return client.explain(passed.text, passed.parameters, timeout_s=passed.timeout_s).text

    def complete(prompt: Prompt) -> Said:
        return _complete(principal, model, prompt, behalf)

    return Ports(
        inspect=inspect,
        read=read,
        explain=plan,
        clock_ms=lambda: time.perf_counter() * 1000,
        complete=complete if has_model(principal, model) else None,
    )  # fmt: skip


def has_model(principal: Principal, model: str | None) -> bool:
    """Whether a real model would answer. NotFoundError for a name that is none."""
    if model is not None:
        found = catalogue_of(principal.tenant_id).find(model)
        if found is None:
            raise NotFoundError(
                f"There is no model {model[:100]!r}. GET /v1/models/instances lists them.", code="model_not_found"
            )
        return found.provider.type != DEMO
    default = defaults.resolve(principal.tenant_id, principal.sub)
    return default is not None and default[0].provider.type != DEMO


def _complete(principal: Principal, model: str | None, prompt: Prompt, behalf: OnBehalf | None) -> Said:
    """One call of the gateway. ModelFailed when nobody answered, and when rules stood in for the model."""
    further = (Message(role, text) for role, text in prompt.turns)
    turns = (Message("system", prompt.system), Message("user", prompt.user), *further)
    request = CompletionRequest(
        tenant_id=principal.tenant_id,
        user_sub=principal.sub,
        messages=turns,
        model=model,
        response_schema=prompt.schema,
        temperature=0.0,
        max_tokens=MAX_TOKENS,
        deadline_s=MODEL_S,
        purpose=prompt.purpose,
    )
    if behalf is not None:
        request = replace(
            request,
            run_id=behalf.run_id,
            run_budget=behalf.run_budget,
            deadline_s=min(MODEL_S, behalf.deadline_s),
            cancelled=behalf.cancelled,
        )
    try:
        result = gateway.complete(request)
    except (BudgetSpent, CompletionCancelled) as error:
        if behalf is not None:
            raise
        raise ModelFailed(error.detail.rstrip(".")) from error
    except (CompletionError, ConflictError, NotFoundError, ValidationError) as error:
        raise ModelFailed(error.detail.rstrip(".")) from error
    if behalf is not None and behalf.heard is not None:
        behalf.heard(result)
    if result.provider_type == DEMO:
        raise ModelFailed("only the demo model is left")
    data: Any = result.data
    return Said(result.text, data, result.instance, result.used_fallback)
