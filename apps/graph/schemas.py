"""The wire shapes of /v1/graph."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from apps.graph.gate.limits import Limits
from kernel.web.fields import FreeText, Identifier, Lookup, RequestBody

LIMITS = Limits()
ROWS_DEFAULT = 100
QUESTION_MAX_CHARS = 4_000
_EXAMPLE = "MATCH (u:User)-[:RUNS]->(t:Task) RETURN u.user_name AS name, count(t) AS tasks ORDER BY tasks DESC LIMIT 5"


class CypherBody(RequestBody):
    """A Cypher text with its parameters."""

    cypher: FreeText = Field(
        min_length=1, max_length=LIMITS.text_bytes, description="One query that reads; it is checked by the gate."
    )
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, max_length=LIMITS.parameters, description="Values of `$name` in the text."
    )


class QueryRequest(CypherBody):
    """Body of POST /v1/graph/query."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"cypher": _EXAMPLE, "limit": 5}]})

    limit: int = Field(ROWS_DEFAULT, ge=1, le=LIMITS.rows, description="Rows of one page.")
    timeout_ms: int | None = Field(None, ge=100, le=60_000, description="Less than the platform's limit, if you like.")
    page_token: Lookup | None = Field(
        None, max_length=500, description="next_page_token of the page before, with the same text and parameters."
    )
    graph: bool = Field(True, description="Whether nodes and relationships are returned for drawing, too.")


class ValidateRequest(CypherBody):
    """Body of POST /v1/graph/validate."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"cypher": _EXAMPLE}]})


class ExplainRequest(RequestBody):
    """Body of POST /v1/graph/explain: a query or a question. Nothing runs."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "Which users run the most tasks?"}]}
    )

    cypher: FreeText | None = Field(None, min_length=1, max_length=LIMITS.text_bytes)
    parameters: dict[str, JsonValue] = Field(default_factory=dict, max_length=LIMITS.parameters)
    question: FreeText | None = Field(None, min_length=1, max_length=QUESTION_MAX_CHARS)
    model: Identifier | None = Field(None, max_length=255, description="A model instance; the default when absent.")

    @model_validator(mode="after")
    def one_of_both(self) -> "ExplainRequest":
        """Either a query or a question."""
        if (self.cypher is None) == (self.question is None):
            raise ValueError("give either cypher or question")
        return self


class GenerateRequest(RequestBody):
    """Body of POST /v1/graph/generate."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "How many BLAST tasks failed?"}]}
    )

    question: FreeText = Field(min_length=1, max_length=QUESTION_MAX_CHARS)
    model: Identifier | None = Field(None, max_length=255, description="A model instance; the default when absent.")


class AskRequest(GenerateRequest):
    """Body of POST /v1/graph/ask."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"question": "Which users run the most tasks?"}]}
    )

    limit: int = Field(ROWS_DEFAULT, ge=1, le=LIMITS.rows)
    summarize: bool = Field(True, description="Whether a model puts the rows into words, where there is one.")


class ChangeRequest(CypherBody):
    """Body of POST /v1/graph/changes: first without confirmation_token, then with the one that came back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "cypher": "MATCH (t:Task {task_id: $id}) SET t.status = 'cancelled'",
                    "parameters": {"id": "task-17"},
                }
            ]
        },
    )

    cypher: FreeText = Field(
        min_length=1, max_length=LIMITS.text_bytes, description="CREATE, MERGE, SET, REMOVE or DELETE, after MATCH."
    )
    confirmation_token: Lookup | None = Field(None, max_length=2_000)


class LayerOut(BaseModel):
    """What one of the gate's six layers found."""

    name: Literal["syntax", "read-only", "tenant", "depth", "time", "rows"]
    ok: bool
    note: str
    elapsed_ms: float


class DrawingOut(BaseModel):
    """Nodes and relationships, each once."""

    nodes: list[dict[str, Any]] = Field(description="{uid, labels, properties}")
    edges: list[dict[str, Any]] = Field(description="{uid, type, start, end, properties}; start and end are uids.")


class QueryOut(BaseModel):
    """Rows of a query, and what really ran."""

    columns: list[str]
    rows: list[list[Any]] = Field(description="In the order of columns.")
    row_count: int
    truncated: bool = Field(description="There is more than this page.")
    has_more: bool
    next_page_token: str | None = Field(
        description="Of the next page; null where there is none or no order to page by."
    )
    graph: DrawingOut | None
    cypher: str = Field(description="The text that ran: yours, rewritten by the gate.")
    parameters: dict[str, Any]
    sha256: str
    layers: list[LayerOut]
    elapsed_ms: float
    stale: str = Field(description="Why the rows may be out of date; empty when they are not.")


class RefusalOut(BaseModel):
    """Why the gate refused, and what to do."""

    layer: str
    message: str
    hint: str
    position: dict[str, int] | None


class ValidateOut(BaseModel):
    """What the gate says. Nothing ran."""

    valid: bool
    cypher: str | None = Field(description="The text that would run.")
    parameters: dict[str, Any]
    columns: list[str]
    row_limit: int | None
    timeout_ms: int | None
    layers: list[LayerOut]
    refusal: RefusalOut | None


class PlanOut(BaseModel):
    """How a query would run. Nothing ran."""

    question: str | None
    reading: str
    cypher: str
    parameters: dict[str, Any]
    columns: list[str]
    server: str = Field(description="arcadedb, memgraph or neo4j.")
    plan: str
    layers: list[LayerOut]


class StageOut(BaseModel):
    """One of the six stages from a question to an answer."""

    stage: str
    input: dict[str, Any]
    output: dict[str, Any]
    elapsed_ms: float


class QuestionRefusalOut(BaseModel):
    """Why a question has no answer, and what to do."""

    stage: str
    layer: str
    reason: str
    hint: str
    alternative: str = Field(description="A query that may be looked at with EXPLAIN instead.")
    not_understood: list[str]


class AnswerOut(BaseModel):
    """An answer, with the query, the parameters and the rows that it stands on."""

    question: str
    category: str
    mode: str
    sentence: str
    reading: str = Field(description="How the question was understood.")
    cypher: str
    parameters: dict[str, Any]
    columns: list[str]
    rows: list[list[Any]]
    row_count: int
    truncated: bool
    source: str | None = Field(description="catalogue, grammar or model: who wrote the query.")
    degraded: bool
    notes: list[str]
    plan: str
    refused: bool
    refusal: QuestionRefusalOut | None
    stages: list[StageOut]


class ChangeOut(BaseModel):
    """What a change would do, with the token that confirms it; or what it did."""

    executed: bool
    cypher: str
    would_change: dict[str, int] = Field(description="Rows and things that the change would touch.")
    confirmation_token: str | None
    expires_in_s: int | None
    counters: dict[str, int] | None
    columns: list[str]
    rows: list[list[Any]]


class PropertyOut(BaseModel):
    """A property of the schema."""

    name: str
    type: str
    about: str
    values: list[str]
    may_miss: bool
    others: bool = Field(description="Whether values beyond these may stand there.")


class LabelOut(BaseModel):
    """A kind of node, and how many there are."""

    label: str
    about: str
    key: str
    count: int | None
    properties: list[PropertyOut]
    kinds: list["LabelOut"]


class RelationshipOut(BaseModel):
    """A type of relationship, and how many there are."""

    type: str
    source: str
    target: str
    about: str
    count: int | None
    properties: list[PropertyOut]


class SchemaOut(BaseModel):
    """The graph's schema (SPEC 9.3) with the tenant's own numbers."""

    labels: list[LabelOut]
    relationships: list[RelationshipOut]
    node_count: int | None
    relationship_count: int | None
    counted: bool = Field(description="False when the graph did not answer: the numbers are null.")
    stale: str = Field(description="Why the numbers may be out of date; empty when they are not.")
