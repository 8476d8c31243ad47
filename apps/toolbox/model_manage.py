"""model.manage: the predecessor's one tool for models, on what the tools of model.py do."""

from typing import Any, Literal

from pydantic import Field, model_validator

from apps.llm import defaults, loading
from apps.toolbox.model import (
    MODEL,
    READ,
    InfoIn,
    ListIn,
    default_id,
    info,
    is_over,
    list_,
    model_named,
    model_out,
    stopping,
    switched,
    warmed_up,
)
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

LOAD_S = 120.0
NAMELESS = ("list", "get_default", "info", "capabilities")


class ManageIn(ToolInput):
    action: Literal["list", "load", "unload", "set_default", "get_default", "info", "capabilities"]
    name: str | None = Field(None, min_length=1, max_length=255, description=MODEL)
    model: str | None = Field(None, min_length=1, max_length=255, description="The same; give one of both.")
    scope: Literal["user", "tenant"] = Field("user", description="With set_default: whose.")

    @model_validator(mode="after")
    def names_one(self) -> "ManageIn":
        """One model, or none where an action can do without."""
        if self.name is not None and self.model is not None and self.name != self.model:
            raise ValueError("give either name or model")
        if self.named is None and self.action not in NAMELESS:
            raise ValueError(f"{self.action} needs a name")
        return self

    @property
    def named(self) -> str | None:
        return self.name if self.name is not None else self.model


class ManageOut(ToolOutput):
    action: str
    model: str | None = Field(description="The model that the action was about.")
    said: dict[str, Any] = Field(
        description="list: {models, total}. load: {tries, duration_ms}. set_default, get_default: {scope, answers}. "
        "info: as model.info. capabilities: {text, image, tools, structured_answers, context_window, ...}."
    )


@tool("model.manage", effect="idempotent", title="Manage models", permissions=READ, timeout_s=LOAD_S,
      reading_actions=("list", "get_default", "info", "capabilities"), example={"action": "get_default"})  # fmt: skip
def manage(context: ToolContext, given: ManageIn) -> ManageOut:
    """List models, look at one, choose a default, and have one loaded into memory or given back from it.

    load and unload are for administrators, of their own providers, and are waited for at most two minutes:
    model.warmup has more time. unload is for models that run with Ollama; others have no memory to give back.
    """
    match given.action:
        case "list":
            return ManageOut(action="list", model=None, said=list_(context, ListIn()).model_dump(mode="json"))
        case "load":
            loaded = warmed_up(context, given.named or "")
            said = loaded.model_dump(mode="json", exclude={"model"})
            return ManageOut(action="load", model=loaded.model, said=said)
        case "unload":
            return _unload(context, given)
        case "set_default":
            chosen = switched(context, given.named, given.scope)
            return ManageOut(
                action="set_default", model=chosen.model, said={"scope": chosen.scope, "answers": chosen.answers}
            )
        case "get_default":
            return _default(context)
        case "info":
            found = info(context, InfoIn(model=given.named))
            return ManageOut(action="info", model=found.model, said=found.model_dump(mode="json"))
        case "capabilities":
            return _capabilities(context, given)


def _unload(context: ToolContext, given: ManageIn) -> ManageOut:
    row = loading.instance_to_manage(context.principal, model_named(context, given.named).id)
    with stopping(context):
        loading.unload(row, by=context.principal, limit_s=context.left_s, cancelled=lambda: is_over(context))
    return ManageOut(action="unload", model=row.instance_name, said={"provider": row.provider.name})


def _default(context: ToolContext) -> ManageOut:
    found = defaults.resolve(context.tenant_id, context.principal.sub)
    if found is None:
        raise ToolFailed("There is no default model. Choose one with set_default.", code="no_default_model")
    instance, scope = found
    return ManageOut(action="get_default", model=instance.name, said={"scope": scope, "answers": instance.name})


def _capabilities(context: ToolContext, given: ManageIn) -> ManageOut:
    row = model_named(context, given.named)
    shown = model_out(row, default_id(context))
    said = {
        **{kind: kind in shown.modalities for kind in ("text", "image", "audio", "embedding")},
        "modalities": shown.modalities,
        "tools": shown.supports_tools,
        "structured_answers": True,  # the gateway holds every answer against its schema, whoever gave it
        "streaming": True,
        "context_window": shown.context_window,
        "max_output_tokens": shown.max_output_tokens,
    }
    return ManageOut(action="capabilities", model=row.instance_name, said=said)
