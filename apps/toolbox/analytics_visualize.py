"""Charts and pictures of what a query or an aggregate finds."""

from typing import Any, Literal

from pydantic import Field, model_validator

from apps.graph import queries
from apps.graph.drawing import pictures, tables, vega
from apps.graph.drawing.pictures import Direction, Dot, Line
from apps.graph.drawing.vega import Mark
from apps.graph.gate.limits import DEFAULTS
from apps.graph.results import graph_of
from apps.graph.searching import called
from apps.toolbox.analytics import QueryIn, answered, question_of
from apps.toolbox.graph import CYPHER, READ, ParametersIn, answering
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolOutput, tool

Chart = Literal["auto", "bar", "line", "area", "point", "arc", "histogram", "table", "mermaid", "dot"]
MARKS: dict[str, Mark] = {
    "bar": "bar", "line": "line", "area": "area", "point": "point", "arc": "arc", "histogram": "histogram",
}  # fmt: skip
DRAWN_MOST = 500  # nodes of a picture


class VisualizeIn(ParametersIn):
    cypher: str | None = Field(None, min_length=1, max_length=DEFAULTS.text_bytes, description=CYPHER)
    question: QueryIn | None = Field(None, description="Instead of cypher: as for analytics.query.")
    columns: list[str] | None = Field(None, max_length=50, description="Instead of both: with rows, your own data.")
    rows: list[list[Any]] | None = Field(None, max_length=DEFAULTS.rows)
    chart: Chart = Field("auto", description="auto: by what the columns hold; mermaid and dot draw nodes.")
    x: str | None = Field(None, max_length=200, description="A column; chosen when left out.")
    y: str | None = Field(None, max_length=200, description="A column of numbers; without one rows are counted.")
    color: str | None = Field(None, max_length=200, description="A column that tells series apart.")
    title: str = Field("", max_length=200)
    direction: Direction = "LR"
    limit: int = Field(200, ge=1, le=DEFAULTS.rows, description="Rows of cypher at most.")

    @model_validator(mode="after")
    def one_source(self) -> "VisualizeIn":
        """A query, a question or rows."""
        own = self.columns is not None and self.rows is not None
        if (self.cypher is not None) + (self.question is not None) + own != 1:
            raise ValueError("give one of cypher, question, or columns with rows")
        if own and any(len(row) != len(self.columns or []) for row in self.rows or []):
            raise ValueError("each row has as many cells as there are columns")
        return self


class VisualizeOut(ToolOutput):
    chart: str
    media_type: str
    spec: dict[str, Any] | None = Field(description="Vega-Lite, with its data; null for tables and pictures.")
    text: str = Field(description="Markdown, Mermaid or DOT; empty for charts.")
    columns: list[str]
    row_count: int
    truncated: bool = Field(description="There is more than was drawn.")
    cypher: str = Field(description="The text that ran; empty for rows of your own.")


@tool(
    "analytics.visualize",
    effect="read",
    title="Draw a chart",
    permissions=READ,
    example={"question": {"label": "Task", "group_by": ["status"], "metrics": [{"function": "count"}]}},
)
def visualize(context: ToolContext, given: VisualizeIn) -> VisualizeOut:
    """Draw what a query, a structured question or your own rows hold: a chart, a table, or a picture of nodes.

    auto draws names with numbers as bars, times as a line, two numbers as points, one as a histogram, and nodes as
    Mermaid. All data is in the result: nothing is fetched to draw it, and labels are text.
    """
    columns, rows, truncated, cypher, drawing = _data(context, given)
    chart = given.chart
    if chart in ("mermaid", "dot") or (chart == "auto" and drawing["nodes"]):
        return _picture(given, drawing, columns, len(rows), truncated, cypher)
    if chart == "table":
        spec, text, media_type = None, tables.markdown(columns, rows), "text/markdown"
    else:
        chart, spec = _charted(given, columns, rows)
        text, media_type = "", "application/vnd.vegalite.v6+json"
    return VisualizeOut(
        chart=chart, media_type=media_type, spec=spec, text=text, columns=columns, row_count=len(rows),
        truncated=truncated, cypher=cypher,
    )  # fmt: skip


def _data(
    context: ToolContext, given: VisualizeIn
) -> tuple[list[str], list[list[Any]], bool, str, dict[str, list[dict[str, Any]]]]:
    nothing: dict[str, list[dict[str, Any]]] = {"nodes": [], "edges": []}
    if given.question is not None:
        out = answered(context, question_of(given.question), given.question.limit)
        return out.columns, out.rows, out.truncated, out.cypher, nothing
    if given.cypher is None:
        return list(given.columns or []), list(given.rows or []), False, "", nothing
    with answering(context):
        page = queries.run(
            context.principal, given.cypher, given.values, limit=given.limit, timeout_s=context.left_s,
            cancelled=context.cancelled,
        )  # fmt: skip
    rows = page.rows
    return list(page.passed.columns), rows.rows, rows.truncated, page.passed.text, graph_of(rows)


def _charted(given: VisualizeIn, columns: list[str], rows: list[list[Any]]) -> tuple[Chart, dict[str, Any]]:
    if len(set(columns)) != len(columns) or not columns:
        raise ToolFailed("Each column needs a name of its own.", code="invalid_arguments")
    if not rows:
        raise ToolFailed("There are no rows to draw.", code="nothing_to_draw")
    for name in (given.x, given.y, given.color):
        if name is not None and name not in columns:
            raise ToolFailed(f"There is no column {name[:60]!r}: {', '.join(columns)}.", code="unknown_name")
    mark, x, y, color = vega.choose(columns, rows)
    wanted: Mark = MARKS.get(given.chart, mark)
    if given.x is not None:
        x, y, color = given.x, _number_beside(given.x, columns, rows), None
    if wanted == "histogram":
        y = None
    spec = vega.specification(
        columns, rows, mark=wanted, x=x, y=given.y or y, color=given.color or color, title=given.title
    )
    return wanted, spec


def _number_beside(x: str, columns: list[str], rows: list[list[Any]]) -> str | None:
    """The first other column of numbers."""
    for place, name in enumerate(columns):
        if name != x and vega.measure_of([row[place] for row in rows]) == "quantitative":
            return name
    return None


def _picture(
    given: VisualizeIn,
    drawing: dict[str, list[dict[str, Any]]],
    columns: list[str],
    row_count: int,
    truncated: bool,
    cypher: str,
) -> VisualizeOut:
    nodes, edges = drawing["nodes"], drawing["edges"]
    if not nodes:
        raise ToolFailed(
            "There are no nodes in these rows: RETURN nodes and relationships, as MATCH (u:User)-[r:RUNS]->(t:Task) "
            "RETURN u, r, t.",
            code="nothing_to_draw",
        )
    kept = {node["uid"] for node in nodes[:DRAWN_MOST]}
    dots = [Dot(node["uid"], " ".join([*node["labels"][:1], called(node)])) for node in nodes[:DRAWN_MOST]]
    lines = [Line(one["start"], one["end"], one["type"]) for one in edges if {one["start"], one["end"]} <= kept]
    is_dot = given.chart == "dot"
    return VisualizeOut(
        chart="dot" if is_dot else "mermaid",
        media_type="text/vnd.graphviz" if is_dot else "text/vnd.mermaid",
        spec=None,
        text=(pictures.dot if is_dot else pictures.mermaid)(dots, lines, given.direction),
        columns=columns,
        row_count=row_count,
        truncated=truncated or len(nodes) > DRAWN_MOST,
        cypher=cypher,
    )
