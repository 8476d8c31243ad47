"""Whether the tenant's graph takes changes. There is one graph server for all: to another one nobody switches."""

from typing import Literal

from pydantic import Field, model_validator

from apps.graph import client, switch
from apps.tenancy import services
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool

Target = Literal["read-write", "read-only"]


class SwitchIn(ToolInput):
    action: Literal["switch", "status"] = "switch"
    target: Target | None = Field(None, description="What the graph is to be; with switch.")

    @model_validator(mode="after")
    def whole(self) -> "SwitchIn":
        """Switching needs to know where to."""
        if (self.action == "switch") != (self.target is not None):
            raise ValueError("switch takes a target, status takes none")
        return self


class SwitchOut(ToolOutput):
    target: Target = Field(description="What the tenant's graph is now; everywhere within a second.")
    changed: bool
    engine: str = Field(description="The graph server's kind; the same for all tenants.")


@tool(
    "db.switch",
    effect="idempotent",
    title="Make the graph read-only, or writable again",
    permissions=("tenants:update",),
    reading_actions=("status",),
    example={"action": "status"},
    example_role="admin",
)
def switch_(context: ToolContext, given: SwitchIn) -> SwitchOut:
    """Stop every change of your tenant's graph, or let changes in again; or say how it is.

    While it is read-only, tools, imports, restores and changes over /v1/graph are refused with graph_read_only; queries
    go on. Use it before a backup that must be of one moment, or while something is looked into.
    """
    before = switch.is_read_only(context.tenant_id)
    wanted = before if given.target is None else given.target == "read-only"
    if wanted != before:
        change = {"settings": {"features": {switch.FLAG: wanted}}}
        services.change_tenant(context.tenant_id, change, by=context.principal)
    return SwitchOut(target="read-only" if wanted else "read-write", changed=wanted != before, engine=client.engine())
