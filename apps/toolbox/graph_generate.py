"""Cypher for a goal in plain words, without running it."""

from typing import Any, Literal

from pydantic import Field, model_validator

from apps.graph import asking, queries
from apps.graph.gate.limits import DEFAULTS
from apps.graph.gate.verdict import GateRefusal, Passed
from apps.toolbox.graph import CYPHER, QUESTION_MAX_CHARS, READ, ParametersIn, understood
from apps.toolbox.graph_ask import ASKING_S, behalf_of, inspected
from apps.toolbox.parts.graph_findings import ValidationOut, validation_of
from apps.tools.context import ToolContext
from apps.tools.spec import ToolOutput, tool


class GenerateIn(ParametersIn):
    action: Literal["generate", "validate", "explain"] = Field(
        "generate", description="validate and explain take cypher, or the query for goal."
    )
    goal: str | None = Field(
        None, min_length=3, max_length=QUESTION_MAX_CHARS, description="What to find, in plain words."
    )
    cypher: str | None = Field(None, min_length=1, max_length=DEFAULTS.text_bytes, description=CYPHER)
    schema_hint: str | None = Field(
        None, max_length=4_000, description="Taken from older callers and not used: the schema is the platform's."
    )
    max_tokens: int | None = Field(
        None, ge=64, description="Taken from older callers and not used: the platform's own limit holds."
    )

    @model_validator(mode="after")
    def one_of_both(self) -> "GenerateIn":
        """A goal to write for, or a query to look at."""
        if (self.goal is None) == (self.cypher is None) or (self.action == "generate" and self.goal is None):
            raise ValueError("generate takes goal; validate and explain take either goal or cypher")
        return self


class GenerateOut(ToolOutput):
    action: str
    goal: str | None
    cypher: str = Field(description="As the gate would let it run; with validate empty when it would not.")
    parameters: dict[str, Any]
    columns: list[str]
    reading: str = Field(description="How the goal was understood.")
    source: str | None = Field(description="catalogue, grammar or model: who wrote it.")
    degraded: bool
    notes: list[str]
    plan: str = Field(description="The server's, with explain.")
    validation: ValidationOut


@tool(
    "graph.generate_cypher",
    effect="read",
    title="Write Cypher for a goal",
    permissions=READ,
    timeout_s=ASKING_S,
    example={"action": "generate", "goal": "How many BLAST tasks failed?"},
)
def generate_cypher(context: ToolContext, given: GenerateIn) -> GenerateOut:
    """Write the Cypher query for a goal in plain words; nothing runs.

    validate says what the gate thinks of a query, explain how the graph would run it. Run it with graph.query.
    """
    cypher, parameters, reading = given.cypher or "", dict(given.values), ""
    source: str | None = None
    degraded, notes = False, list[str]()
    if given.goal is not None:
        written = understood(asking.write(context.principal, given.goal, behalf=behalf_of(context)))
        cypher, parameters = written.cypher, dict(written.parameters)
        reading, source, degraded = written.reading, written.source, written.degraded
        notes = list(written.notes)
    passed: Passed | None = None
    plan, refusal = "", None
    try:
        passed = inspected(context, cypher, parameters)
        if given.action == "explain":
            plan = queries.explain(context.principal, cypher, parameters, timeout_s=context.left_s).plan.text
    except GateRefusal as refused:
        if given.action != "validate":
            raise
        refusal = refused
    return GenerateOut(
        action=given.action,
        goal=given.goal,
        cypher="" if passed is None else passed.text,
        parameters={} if passed is None else queries.shown(passed.parameters),
        columns=[] if passed is None else list(passed.columns),
        reading=reading,
        source=source,
        degraded=degraded,
        notes=notes,
        plan=plan,
        validation=validation_of(context.principal, cypher, passed, refusal),
    )
