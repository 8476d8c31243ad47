"""Indexes and constraints of the graph, for administrators of the platform: all tenants share them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apps.audit import trail
from apps.graph import indexes
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool

LIMIT_S = 120.0
LABEL = "A label of the schema (graph.schema)."


class LaidOut(BaseModel):
    """An index or a constraint."""

    model_config = ConfigDict(extra="forbid")

    label: str
    properties: list[str]
    unique: bool
    platform: bool = Field(description="Laid by the platform for itself: it cannot be dropped.")


class LaidList(ToolOutput):
    changed: bool = Field(description="False: it was so already, or only looked at.")
    laid: list[LaidOut] = Field(description="What there is now on this label, or with list on all.")


class IndexIn(ToolInput):
    action: Literal["create", "list"] = "create"
    label: str = Field("", max_length=64, description=LABEL)
    properties: list[str] = Field(default_factory=list, max_length=3, description="Of the label, in this order.")


class DropIn(ToolInput):
    label: str = Field(min_length=1, max_length=64, description=LABEL)
    properties: list[str] = Field(min_length=1, max_length=3, description="Of the index, in its order.")


class ConstraintIn(ToolInput):
    action: Literal["create", "drop", "list"]
    label: str = Field("", max_length=64, description=LABEL)
    property: str = Field("", max_length=64, description="Unique within each tenant from then on.")

    @model_validator(mode="after")
    def whole(self) -> "ConstraintIn":
        """Making and dropping need both names."""
        if self.action != "list" and not (self.label and self.property):
            raise ValueError(f"{self.action} takes label and property")
        return self


@tool(
    "admin.create_index",
    effect="idempotent",
    title="Create an index in the graph",
    permissions=("graph:create",),
    platform=True,
    timeout_s=LIMIT_S,
    reading_actions=("list",),
    example={"label": "Gene", "properties": ["chromosome"]},
    example_role="admin",
)
def create_index(context: ToolContext, given: IndexIn) -> LaidList:
    """Make nodes of a label quick to find by one to three of its properties, or list what there is.

    Labels and properties are those of the schema. One that is there already is left as it is. All tenants share it.
    """
    if given.action == "list":
        return _listed(given.label, changed=False)
    changed = indexes.create(given.label, given.properties)
    _record(context, "graph.index.create", given.label, given.properties, changed=changed)
    return _listed(given.label, changed=changed)


@tool(
    "admin.drop_index",
    effect="destructive",
    title="Drop an index of the graph",
    permissions=("graph:delete",),
    platform=True,
    timeout_s=LIMIT_S,
    example={"label": "Gene", "properties": ["chromosome"]},
    example_role="admin",
)
def drop_index(context: ToolContext, given: DropIn) -> LaidList:
    """Take away an index that admin.create_index made.

    One that is not there is no error. What the platform laid for itself is never dropped. Queries that used it become
    slower for all tenants.
    """
    changed = indexes.drop(given.label, given.properties)
    _record(context, "graph.index.drop", given.label, given.properties, changed=changed)
    return _listed(given.label, changed=changed)


@tool(
    "admin.constraint",
    effect="destructive",
    title="Make a property unique within each tenant",
    permissions=("graph:delete",),
    platform=True,
    timeout_s=LIMIT_S,
    reading_actions=("list",),
    example={"action": "list", "label": "Gene"},
    example_role="admin",
)
def constraint(context: ToolContext, given: ConstraintIn) -> LaidList:
    """Make or drop a constraint by which no two nodes of a label in one tenant have the same value, or list them.

    Making one fails while there are such nodes (data.quality finds them). What the platform laid for itself is never
    dropped. All tenants share it.
    """
    changed = False
    if given.action == "create":
        changed = indexes.require_unique(given.label, given.property)
    elif given.action == "drop":
        changed = indexes.drop_unique(given.label, given.property)
    if given.action != "list":
        _record(context, f"graph.constraint.{given.action}", given.label, [given.property], changed=changed)
    return _listed(given.label, changed=changed, only_unique=True)


def _listed(label: str, *, changed: bool, only_unique: bool = False) -> LaidList:
    found = [one for one in indexes.listed(label) if one.unique or not only_unique]
    return LaidList(
        changed=changed,
        laid=[
            LaidOut(label=one.label, properties=list(one.properties), unique=one.unique, platform=one.is_own)
            for one in found
        ],
    )


def _record(context: ToolContext, action: str, label: str, properties: list[str], *, changed: bool) -> None:
    if not changed:
        return
    trail.note(
        tenant_id=None,
        actor=context.principal.sub,
        actor_tenant_id=context.principal.own_tenant_id,
        action=action,
        resource_type="graph_index",
        resource_id=f"{label}({', '.join(properties)})"[:255],
        outcome=trail.SUCCESS,
        details={"label": label, "properties": properties},
    )
