"""Language models: which there are, having one ready, and which answers where none is named. No address, no key."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from apps.llm import circuits, defaults, loading, selectors
from apps.llm.errors import CompletionCancelled
from apps.llm.failures import ProviderFailure
from apps.llm.models import ModelInstance
from apps.llm.registry import model_defaults
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso
from kernel.errors import NotFoundError

LISTED = 200
LOOK_S = 0.25  # between two looks whether the caller still waits
WARM_UP_S = 1800.0
NANO_PER_TOKEN = 1_000  # billionths of a US dollar per token, in one US dollar per million tokens
READ = ("models:read",)
MODEL = "Its name as model.list shows it, or its id."


class ModelOut(ToolOutput):
    """A model as its callers may see it."""

    model: str = Field(description="The name by which it is asked for.")
    id: UUID
    provider: str
    provider_type: str
    model_id: str = Field(description="What its provider calls it.")
    scope: Literal["tenant", "global"] = Field(description="Whose it is: your tenant's, or the platform's for all.")
    description: str
    context_window: int = Field(description="Tokens.")
    max_output_tokens: int
    modalities: list[str]
    supports_tools: bool
    input_usd_per_mtok: float | None = Field(description="Null: the price catalogue's.")
    output_usd_per_mtok: float | None = Field(description="Null: the price catalogue's.")
    enabled: bool
    loaded_at: str | None = Field(description="When a warm-up last had it ready.")
    is_default: bool = Field(description="It answers you where no model is named.")


class ListIn(ToolInput):
    provider: str | None = Field(None, max_length=100, description="Only of the provider of this name.")
    supports_tools: bool | None = None
    limit: int = Field(50, ge=1, le=LISTED)


class ListOut(ToolOutput):
    models: list[ModelOut] = Field(description="Newest first.")
    total: int = Field(description="How many fit, those beyond limit too.")


@tool("model.list", effect="read", title="List models", permissions=READ, example={})
def list_(context: ToolContext, given: ListIn) -> ListOut:
    """The language models that your tenant can ask: its own and the platform's. Administrators see disabled ones."""
    wanted = selectors.InstanceFilter(usable_only=not context.principal.is_admin)
    rows, _ = selectors.list_instances(context.tenant_id, wanted, after=None, limit=1_000)
    found = [
        row
        for row in rows
        if given.provider in (None, row.provider.name) and given.supports_tools in (None, row.supports_tools)
    ]
    default = default_id(context)
    return ListOut(models=[model_out(row, default) for row in found[: given.limit]], total=len(found))


class InfoIn(ToolInput):
    model: str | None = Field(None, min_length=1, max_length=255, description=f"{MODEL} Left out: your default.")


class InfoOut(ModelOut):
    parameters: dict[str, Any] = Field(description="Sent along with every request to it.")
    circuit: str = Field(description="CLOSED: its provider is asked. OPEN: it failed too often and is left alone.")
    calls_under_way: int = Field(description="To its provider, of everybody.")


@tool("model.info", effect="read", title="Look at a model", permissions=READ, example={})
def info(context: ToolContext, given: InfoIn) -> InfoOut:
    """One language model: what it can do, what it costs, and whether its provider is being asked at the moment."""
    row = model_named(context, given.model)
    circuit = circuits.view(row.provider_id)
    shown = model_out(row, default_id(context))
    return InfoOut(
        **shown.model_dump(),
        parameters=row.parameters,
        circuit=circuit.state,
        calls_under_way=circuit.under_way,
    )


class WarmUpIn(ToolInput):
    model: str = Field(min_length=1, max_length=255, description=MODEL)


class WarmUpOut(ToolOutput):
    model: str
    provider: str
    tries: int
    duration_ms: int


@tool("model.warmup", effect="idempotent", title="Warm up a model", permissions=("models:update",), long_running=True,
      timeout_s=WARM_UP_S, example={"model": "demo"}, example_role="platform")  # fmt: skip
def warmup(context: ToolContext, given: WarmUpIn) -> WarmUpOut:
    """Have a model loaded where it runs, so that its first answer does not wait for that. May take minutes.

    For administrators: a tenant's of its own providers, the platform's of the platform's.
    """
    return warmed_up(context, given.model)


class SwitchIn(ToolInput):
    model: str | None = Field(min_length=1, max_length=255, description=f"{MODEL} Null: take the default away.")
    scope: Literal["user", "tenant"] = Field("user", description="tenant: for everybody in it; administrators only.")


class SwitchOut(ToolOutput):
    scope: Literal["user", "tenant"]
    model: str | None = Field(description="The default of this scope now; null: none.")
    answers: str | None = Field(description="The model that answers you from now on where none is named.")


@tool("model.switch", effect="idempotent", title="Switch the default model", permissions=READ,
      example={"model": "demo"})  # fmt: skip
def switch(context: ToolContext, given: SwitchIn) -> SwitchOut:
    """Choose the model that answers you where none is named; an administrator chooses for the tenant, too.

    Yours goes before your tenant's, that before the platform's. It counts at once; runs under way keep theirs.
    """
    return switched(context, given.model, given.scope)


def model_named(context: ToolContext, named: str | None) -> ModelInstance:
    """By name or id; the caller's default where none is named. NotFoundError for what the caller does not see."""
    if named is None:
        found = defaults.resolve(context.tenant_id, context.principal.sub)
        if found is None:
            raise NotFoundError("There is no default model. Choose one with model.switch.", code="no_default_model")
        named = str(found[0].id)
    try:
        instance_id, name = UUID(named), None
    except ValueError:
        instance_id, name = None, named
    row = selectors.find_instance(context.tenant_id, instance_id=instance_id, name=name)
    if not (context.principal.is_admin or (row.enabled and row.provider.enabled)):
        raise NotFoundError("There is no such model instance.", code="model_not_found")
    return row


def warmed_up(context: ToolContext, named: str) -> WarmUpOut:
    """Have it ready. ToolStopped when the time is over or the caller leaves meanwhile."""
    instance = loading.instance_to_manage(context.principal, model_named(context, named).id)
    context.progress("warming up", f"{instance.instance_name} on {instance.provider.name}", 0)

    def pause(seconds: float) -> None:
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0:
            context.checkpoint()
            time.sleep(min(LOOK_S, left))

    with stopping(context):
        tries, seconds = loading.warm_up(
            instance,
            by=context.principal,
            cancelled=lambda: is_over(context),
            pause=pause,
            told=lambda tries, failure: context.progress("warming up", f"try {tries}: {failure.detail}"),
        )
    return WarmUpOut(
        model=instance.instance_name, provider=instance.provider.name, tries=tries, duration_ms=round(seconds * 1000)
    )


def switched(context: ToolContext, named: str | None, scope: Literal["user", "tenant"]) -> SwitchOut:
    """Set the default, or take it away."""
    principal = context.principal
    if named is None:
        chosen = None
        with suppress(NotFoundError):  # there is none
            model_defaults.take_default_away(scope, by=principal)
    else:
        row = model_named(context, named)
        chosen = row.instance_name
        if scope == "tenant" or defaults.default_instance(context.tenant_id, principal.sub) != (row.id, scope):
            model_defaults.set_default(scope, by=principal, instance_id=row.id)
    found = defaults.resolve(context.tenant_id, principal.sub)
    return SwitchOut(scope=scope, model=chosen, answers=None if found is None else found[0].name)


def default_id(context: ToolContext) -> UUID | None:
    """The instance that answers this caller where none is named."""
    found = defaults.default_instance(context.tenant_id, context.principal.sub)
    return None if found is None else found[0]


def model_out(row: ModelInstance, default: UUID | None) -> ModelOut:
    return ModelOut(
        model=row.instance_name,
        id=row.id,
        provider=row.provider.name,
        provider_type=row.provider.type,
        model_id=row.model_id,
        scope="tenant" if row.tenant_id else "global",
        description=row.description,
        context_window=row.context_window,
        max_output_tokens=row.max_output_tokens,
        modalities=row.modalities or ["text"],
        supports_tools=row.supports_tools,
        input_usd_per_mtok=_usd_per_mtok(row.input_nano_usd),
        output_usd_per_mtok=_usd_per_mtok(row.output_nano_usd),
        enabled=row.enabled and row.provider.enabled,
        loaded_at=iso(row.loaded_at),
        is_default=row.id == default,
    )


@contextmanager
def stopping(context: ToolContext) -> Iterator[None]:
    """While a model is waited for: one that was left because the caller did, or the time was over, is ToolStopped."""
    context.checkpoint()
    try:
        yield
    except (ProviderFailure, CompletionCancelled):
        context.checkpoint()
        raise


def is_over(context: ToolContext) -> bool:
    """Whether nobody waits for the tool any more."""
    return context.cancelled() or context.left_s <= 0


def _usd_per_mtok(nano_usd: int | None) -> float | None:
    return None if nano_usd is None else nano_usd / NANO_PER_TOKEN
