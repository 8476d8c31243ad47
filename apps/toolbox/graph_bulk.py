"""The predecessor's bulk tool: tables into the graph, and one label or type of it into a file."""

from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from apps.toolbox.etl import AN_HOUR_S, COLUMNS, FILE_ID
from apps.toolbox.parts import transfers
from apps.toolbox.parts.transfers import RIGHTS, FileOut, Import, ImportOut
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool


class BulkIn(ToolInput):
    action: Literal["load_nodes", "load_relationships", "export"]
    file: UUID | None = Field(None, description=f"To load from. {FILE_ID}")
    format: Literal["csv", "jsonl"] = "csv"
    label: str | None = Field(None, max_length=64, description="Of the nodes to load or to export.")
    rel_type: str | None = Field(None, max_length=64, description="Of the relationships to load or to export.")
    columns: dict[str, str | None] | None = Field(None, max_length=200, description=COLUMNS)

    @model_validator(mode="after")
    def whole(self) -> "BulkIn":
        """Each action needs its own."""
        wants_nodes = self.action == "load_nodes"
        if self.action == "export":
            if (self.label is None) == (self.rel_type is None):
                raise ValueError("export takes either label or rel_type")
        elif self.file is None or (self.label is None) == wants_nodes or (self.rel_type is None) != wants_nodes:
            raise ValueError(f"{self.action} takes file and {'label' if wants_nodes else 'rel_type'}")
        return self


class BulkOut(ToolOutput):
    action: str
    loaded: ImportOut | None = Field(description="What load_nodes and load_relationships did.")
    file: FileOut | None = Field(description="What export made.")


@tool(
    "graph.bulk",
    effect="write",
    title="Load or export many nodes or relationships",
    permissions=(*RIGHTS, "files:create"),
    timeout_s=AN_HOUR_S,
    long_running=True,
    example={"action": "export", "label": "Gene", "format": "csv"},
    example_role="data_engineer",
)
def bulk(context: ToolContext, given: BulkIn) -> BulkOut:
    """Load a table of nodes or relationships from a file, or export one label or relationship type into a file.

    A table has one row for each node or relationship; columns are properties, or are mapped to some. It is etl.import
    and etl.export for one label or type, under the predecessor's name.
    """
    if given.action == "export":
        sections = transfers.sections_named([given.label or given.rel_type or ""])
        return BulkOut(action=given.action, loaded=None, file=transfers.export_file(context, given.format, sections))
    assert given.file is not None  # the schema's validator saw to it
    wanted = Import(given.file, given.format, given.label, given.rel_type, given.columns)
    return BulkOut(action=given.action, loaded=transfers.import_file(context, wanted), file=None)
