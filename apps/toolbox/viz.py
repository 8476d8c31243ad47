"""Pictures of what the caller brings along: graphs, tables, sparklines. Nothing is read."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from apps.graph.drawing import pictures, tables
from apps.graph.drawing.pictures import Direction, Dot, Line
from apps.graph.drawing.text import shown
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

NODES_MOST = 500
EDGES_MOST = 1_000
ROWS_MOST = 1_000
Text = Annotated[str, Field(max_length=2_000)]


class NodeIn(BaseModel):
    """A node of one's own, or as graph.query gives it. Drawn under its label or name, else its labels and uid."""

    model_config = ConfigDict(extra="ignore")

    id: Text | int | None = None
    uid: Text | None = None
    label: Text | None = None
    name: Text | None = None
    labels: list[Text] = Field(default_factory=list, max_length=10)


class EdgeIn(BaseModel):
    """An edge of one's own (from, to, label), or as graph.query gives it (start, end, type)."""

    model_config = ConfigDict(extra="ignore")

    start: Text | int | None = None
    end: Text | int | None = None
    from_: Text | int | None = Field(None, alias="from")
    to: Text | int | None = None
    source: Text | int | None = None
    target: Text | int | None = None
    label: Text | None = None
    type: Text | None = None


class RenderIn(ToolInput):
    action: Literal["graph_mermaid", "graph_dot", "table_markdown", "sparkline"]
    nodes: list[NodeIn] = Field(default_factory=list, max_length=NODES_MOST)
    edges: list[EdgeIn] = Field(default_factory=list, max_length=EDGES_MOST)
    direction: Direction = Field("LR", description="LR: from left to right; TB: from top to bottom.")
    columns: list[Text] = Field(default_factory=list, max_length=50, description="Of the table.")
    rows: list[list[Any]] = Field(default_factory=list, max_length=ROWS_MOST, description="In the order of columns.")
    values: list[float | None] = Field(default_factory=list, max_length=ROWS_MOST, description="Of the sparkline.")


class RenderOut(ToolOutput):
    action: str
    text: str = Field(description="Mermaid, DOT, Markdown or one line.")
    media_type: str


@tool(
    "viz.render",
    effect="read",
    title="Render a picture",
    example={
        "action": "graph_mermaid",
        "nodes": [{"id": 1, "label": "Reads"}, {"id": 2, "label": "BLAST"}],
        "edges": [{"from": 1, "to": 2, "label": "INPUT"}],
    },
)
def render(context: ToolContext, given: RenderIn) -> RenderOut:
    """Draw nodes and edges as Mermaid or DOT, rows as a Markdown table, numbers as a sparkline.

    nodes and edges may be those of graph.query's graph. Whatever stands in a label or cell is drawn as text.
    """
    match given.action:
        case "table_markdown":
            return RenderOut(action=given.action, text=_table(given), media_type="text/markdown")
        case "sparkline":
            if not given.values:
                raise ToolFailed("A sparkline needs values.", code="invalid_arguments")
            return RenderOut(action=given.action, text=tables.sparkline(given.values), media_type="text/plain")
        case "graph_mermaid" | "graph_dot":
            nodes, edges = [_node(one) for one in given.nodes], [_edge(one) for one in given.edges]
            if not nodes and not edges:
                raise ToolFailed("A graph needs nodes or edges.", code="invalid_arguments")
            is_dot = given.action == "graph_dot"
            text = (pictures.dot if is_dot else pictures.mermaid)(nodes, edges, given.direction)
            return RenderOut(
                action=given.action, text=text, media_type="text/vnd.graphviz" if is_dot else "text/vnd.mermaid"
            )


def _table(given: RenderIn) -> str:
    if not given.columns or any(len(row) != len(given.columns) for row in given.rows):
        raise ToolFailed("A table needs columns, and rows of as many cells.", code="invalid_arguments")
    return tables.markdown(given.columns, given.rows)


def _node(one: NodeIn) -> Dot:
    name = one.id if one.id is not None else one.uid
    if name is None:
        raise ToolFailed("Each node needs an id or a uid.", code="invalid_arguments")
    own = one.label or one.name
    return Dot(shown(name), own if own is not None else " ".join([*one.labels[:1], shown(name)]))


def _edge(one: EdgeIn) -> Line:
    start = next((end for end in (one.from_, one.source, one.start) if end is not None), None)
    end = next((end for end in (one.to, one.target, one.end) if end is not None), None)
    if start is None or end is None:
        raise ToolFailed("Each edge needs from and to.", code="invalid_arguments")
    return Line(shown(start), shown(end), one.label or one.type or "")
