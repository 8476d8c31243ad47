"""Numbers about the graph: structured questions and aggregates. Their Cypher is made of the schema's names."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from apps.graph import queries
from apps.graph.structured import Condition, Function, Metric, Operator, Question, cypher_of
from apps.toolbox.graph import READ, answering
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool

NAME_CHARS = 120
Reference = Annotated[
    str,
    Field(min_length=1, max_length=NAME_CHARS, description="A property, as status, Task.status or RUNS.since."),
]
Group = Annotated[
    str,
    Field(
        min_length=1, max_length=NAME_CHARS, description="A property; of a date or time also start:month, :year, :day."
    ),
]


Aggregated = Literal["count", "sum", "avg", "min", "max", "distinct", "percentiles"]
COUNTED: tuple[Aggregated, ...] = ("count",)


class WhereIn(BaseModel):
    """One condition; all of them have to hold."""

    model_config = ConfigDict(extra="forbid")

    property: Reference
    op: Operator = "="
    value: JsonValue = Field(None, description="Of the property's type; a list with in; none with missing, present.")


class MetricIn(BaseModel):
    """One number of each group."""

    model_config = ConfigDict(extra="forbid")

    function: Function
    property: Reference | None = Field(None, description="Not needed for count.")


class AskedIn(ToolInput):
    """What questions have in common."""

    label: str = Field(min_length=1, max_length=NAME_CHARS, description="A label or kind of graph.schema, as Task.")
    join: str | None = Field(
        None, max_length=NAME_CHARS, description="A relationship type that leads to another node, as RUNS to User."
    )
    where: list[WhereIn] = Field(default_factory=list, max_length=20)
    group_by: list[Group] = Field(default_factory=list, max_length=4)
    limit: int = Field(100, ge=1, le=1_000)


class QueryIn(AskedIn):
    columns: list[Reference] = Field(
        default_factory=list, max_length=20, description="Without metrics: what to show of each."
    )
    metrics: list[MetricIn] = Field(default_factory=list, max_length=10)
    order: list[str] = Field(
        default_factory=list, max_length=4, description="Names of columns of the answer; -name is the largest first."
    )


class RowsOut(ToolOutput):
    columns: list[str]
    rows: list[list[Any]] = Field(description="In the order of columns.")
    row_count: int
    truncated: bool = Field(description="There are more rows than the limit.")
    cypher: str = Field(description="The text that ran.")
    parameters: dict[str, Any]
    elapsed_ms: float
    stale: str


@tool(
    "analytics.query",
    effect="read",
    title="Ask a structured question",
    permissions=READ,
    example={
        "label": "Task",
        "join": "RUNS",
        "where": [{"property": "status", "op": "=", "value": "completed"}],
        "group_by": ["User.user_name"],
        "metrics": [{"function": "count"}, {"function": "avg", "property": "duration_s"}],
        "limit": 5,
    },
)
def query(context: ToolContext, given: QueryIn) -> RowsOut:
    """Rows or grouped numbers from your tenant's graph, without writing Cypher.

    Give a label, conditions, and either columns or metrics with group_by; join brings in the node at the other end of
    a relationship. Names are those of graph.schema. The largest group comes first unless order says otherwise.
    """
    return answered(context, question_of(given), given.limit)


class AggregateIn(AskedIn):
    property: Reference | None = Field(None, description="What the numbers are of; without it only count.")
    functions: list[Aggregated] = Field(default_factory=lambda: list(COUNTED), min_length=1, max_length=7)
    percentiles: list[Annotated[float, Field(ge=0, le=100)]] = Field(
        default_factory=lambda: [50.0, 90.0, 99.0], min_length=1, max_length=10, description="By nearest rank."
    )


@tool(
    "analytics.aggregate",
    effect="read",
    title="Aggregate a property",
    permissions=READ,
    example={
        "label": "Task",
        "property": "duration_s",
        "functions": ["count", "avg", "percentiles"],
        "group_by": ["status"],
    },
)
def aggregate(context: ToolContext, given: AggregateIn) -> RowsOut:
    """Count, sum, avg, min, max, distinct and percentiles of one property, by group.

    Without a property it counts nodes. Percentiles are columns p50, p90, ... of numbers; missing values are left out.
    """
    metrics = [
        Metric(name, None if name == "count" and given.property is None else given.property)
        for name in given.functions
        if name != "percentiles"
    ]
    wants_percentiles = "percentiles" in given.functions
    question = Question(
        label=given.label,
        join=given.join,
        where=_where(given),
        group_by=tuple(given.group_by),
        metrics=tuple(metrics),
        percentiles=tuple(given.percentiles) if wants_percentiles else (),
        percentiles_of=given.property if wants_percentiles else None,
    )
    return answered(context, question, given.limit)


def question_of(given: QueryIn) -> Question:
    return Question(
        label=given.label,
        join=given.join,
        where=_where(given),
        columns=tuple(given.columns),
        group_by=tuple(given.group_by),
        metrics=tuple(Metric(one.function, one.property) for one in given.metrics),
        order=tuple(given.order),
    )


def answered(context: ToolContext, question: Question, limit: int) -> RowsOut:
    """The rows of a structured question, through the gate."""
    cypher, parameters = cypher_of(question)
    with answering(context):
        page = queries.run(
            context.principal,
            cypher,
            parameters,
            limit=limit,
            timeout_s=context.left_s,
            cancelled=context.cancelled,
        )
    rows = page.rows
    return RowsOut(
        columns=list(page.passed.columns),
        rows=rows.rows,
        row_count=len(rows.rows),
        truncated=rows.truncated,
        cypher=page.passed.text,
        parameters=queries.shown(page.passed.parameters),
        elapsed_ms=rows.elapsed_ms,
        stale=rows.stale,
    )


def _where(given: AskedIn) -> tuple[Condition, ...]:
    return tuple(Condition(one.property, one.op, one.value) for one in given.where)
