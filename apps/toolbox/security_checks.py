"""Looking at a text, a query or a tool's arguments before anything is done with them (SPEC 2.6, 8; contract 7.3).

Nothing runs, and no model is asked. What is found here is found again where it matters: a good word of these tools
opens nothing.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, JsonValue

from apps.agents.phases import classify, rights
from apps.agents.phases.reading import read
from apps.graph import queries
from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal
from apps.identity import rbac
from apps.tools import pipeline, registry
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel import injection
from kernel.errors import NotFoundError, ValidationError
from kernel.payloads import unstorable
from kernel.pii.document import is_sensitive_name
from kernel.pii.text import spans

TEXT_MAX = 100_000
PROMPT_MAX = 20_000
CYPHER_MAX = 20_000
FINDINGS_MOST = 100
# Patterns that were made for names are quick on short texts only: a long one is looked at piece by piece.
PIECE, OVERLAP = 1_000, 200


class Personal(ToolOutput):
    kind: str = Field(description="secret, email, iban, card, ssn, ip, phone; field: for the name it stands under.")
    count: int


class Finding(ToolOutput):
    at: str = Field(description="Where: a path like items.0.name; empty for the text itself.")
    looks_like: str | None = Field(
        None, description="sql, cypher, command, template, path traversal or control characters."
    )
    personal: list[Personal] = Field(default=[], description="Personal data and secrets.")
    fault: str | None = Field(None, description="Why it cannot be stored, or does not fit the tool.")


class Layer(ToolOutput):
    layer: str
    note: str


class GateSaid(ToolOutput):
    passed: bool
    runs_as: str | None = Field(None, description="The query as it would run, bound to your tenant.")
    columns: list[str] = []
    row_limit: int | None = None
    timeout_s: float | None = None
    layers: list[Layer] = Field(default=[], description="What each layer found or changed.")
    refused_by: str | None = Field(None, description="The layer that refused.")
    message: str | None = None
    hint: str | None = Field(None, description="What to write instead.")
    line: int | None = None
    column: int | None = None


class ValidateIn(ToolInput):
    kind: Literal["text", "identifier", "cypher", "arguments"] = Field(
        description="text: free text; identifier: a name or id; cypher: a query; arguments: a tool's."
    )
    text: str | None = Field(None, max_length=TEXT_MAX, description="What is looked at; for cypher the query.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, max_length=100, description="Of the query.")
    tool: str | None = Field(None, max_length=100, description="Whose arguments they are.")
    arguments: dict[str, JsonValue] | None = None


class ValidateOut(ToolOutput):
    ok: bool = Field(description="Nothing was found.")
    kind: str
    findings: list[Finding] = []
    gate: GateSaid | None = None


@tool(
    "security.validate",
    effect="read",
    title="Look at a text, query or arguments",
    example={"kind": "identifier", "text": "gene-7'; DROP TABLE genes --"},
)
def validate(context: ToolContext, given: ValidateIn) -> ValidateOut:
    """Look for injection, secrets and personal data in a text, or ask whether a query or a tool's arguments would pass.

    An identifier that looks like a piece of SQL, Cypher or a command is refused everywhere; in free text it is only a
    hint. For cypher the gate's verdict is given, layer by layer, and nothing runs. For arguments each fault is named.
    """
    if given.kind == "arguments":
        return _arguments(context, given)
    if given.text is None:
        raise ToolFailed("Say with text what shall be looked at.", code="text_missing")
    if given.kind == "cypher":
        gate = _gate(context, given.text, given.parameters)
        return ValidateOut(ok=gate.passed, kind="cypher", gate=gate)
    return _text(given.kind, given.text)


class CheckIn(ToolInput):
    action: Literal["intent", "cypher", "validate"]
    kind: Literal["text", "identifier", "cypher"] | None = Field(None, description="For validate: what it is.")
    text: str | None = Field(None, max_length=TEXT_MAX, description="For intent and validate.")
    cypher: str | None = Field(None, max_length=CYPHER_MAX, description="For cypher and validate.")


class IntentSaid(ToolOutput):
    category: str = Field(description="CHAT, GRAPH, SECURITY, ADMIN, DANGEROUS or EXPLAIN.")
    confidence: float = Field(description="From 0 to 1.")
    reason: str
    source: str = Field(description="Who said so: the catalogue of known prompts, or rules.")
    is_sure: bool = Field(description="A run would ask no model about it.")
    needs: str | None = Field(description="The permission that it asks for.")
    allowed: bool = Field(description="Whether you may. What is DANGEROUS nobody may.")
    hidden: int = Field(description="Characters that nobody sees, which were left out.")


class CheckOut(ToolOutput):
    action: str
    ok: bool
    intent: IntentSaid | None = None
    gate: GateSaid | None = None
    findings: list[Finding] = []


@tool(
    "security.check",
    effect="read",
    title="Check a request",
    example={"action": "intent", "text": "Delete all failed tasks."},
)
def check(context: ToolContext, given: CheckIn) -> CheckOut:
    """What a request would be taken for, before it is made: nothing runs, and no model is asked.

    intent: the category of a prompt, the permission that it asks for and whether you have it. cypher: the gate's
    verdict on a query. validate: injection, secrets and personal data in a text, or the gate's verdict on a query.
    """
    if given.action == "intent":
        if given.text is None or len(given.text) > PROMPT_MAX:
            raise ToolFailed(f"Say with text what is asked, in at most {PROMPT_MAX:,} characters.", code="text_missing")
        intent = _intent(context, given.text)
        return CheckOut(action="intent", ok=intent.allowed, intent=intent)
    query = given.cypher if given.cypher is not None else given.text
    if given.action == "cypher" or given.kind == "cypher" or (given.kind is None and given.cypher is not None):
        if query is None:
            raise ToolFailed("Say with cypher which query is meant.", code="cypher_missing")
        gate = _gate(context, query, {})
        return CheckOut(action=given.action, ok=gate.passed, gate=gate)
    if given.text is None:
        raise ToolFailed("Say with text what shall be looked at.", code="text_missing")
    found = _text(given.kind or "text", given.text)
    return CheckOut(action="validate", ok=found.ok, findings=found.findings)


def _intent(context: ToolContext, text: str) -> IntentSaid:
    reading = read(text)
    intent = classify.without_model(reading)
    needs: str | None = None
    if intent.category == "ADMIN":
        needs = rights.change_needs(reading.text)
    elif intent.category in ("GRAPH", "EXPLAIN"):
        needs = "graph:read"
    may = needs is None or rbac.may(context.principal, needs)
    return IntentSaid(
        category=intent.category,
        confidence=intent.confidence,
        reason=intent.reason,
        source=intent.source,
        is_sure=classify.is_sure(intent),
        needs=needs,
        allowed=may and intent.category != "DANGEROUS",
        hidden=reading.hidden,
    )


def _gate(context: ToolContext, cypher: str, parameters: dict[str, Any]) -> GateSaid:
    """The gate's verdict for this caller. It is neither counted nor audited as a refusal: nothing was to run."""
    rbac.require(context.principal, "graph:read")
    if len(cypher) > CYPHER_MAX:
        raise ToolFailed(f"A query has at most {CYPHER_MAX:,} characters.", code="cypher_too_long")
    try:
        passed = inspect(
            cypher,
            parameters,
            tenant_id=str(context.tenant_id),
            limits=queries.limits(),
            dialect=queries.printer_dialect(),
        )
    except GateRefusal as refusal:
        line, column = refusal.position or (None, None)
        return GateSaid(
            passed=False, refused_by=refusal.layer, message=refusal.message, hint=refusal.hint or None, line=line,
            column=column,
        )  # fmt: skip
    return GateSaid(
        passed=True,
        runs_as=passed.text,
        columns=list(passed.columns),
        row_limit=passed.row_limit - queries.ONE_MORE,
        timeout_s=passed.timeout_s,
        layers=[Layer(layer=report.name, note=report.note) for report in passed.layers],
    )


def _text(kind: str, text: str) -> ValidateOut:
    finding = _look(text, at="", name="")
    return ValidateOut(ok=finding is None, kind=kind, findings=[finding] if finding else [])


def _arguments(context: ToolContext, given: ValidateIn) -> ValidateOut:
    if given.tool is None or given.arguments is None:
        raise ToolFailed("Say with tool and arguments what shall be looked at.", code="arguments_missing")
    found = registry.find(context.tenant_id, given.tool)
    if not registry.may_call(context.principal, found):
        raise NotFoundError(
            f"There is no tool {given.tool[:100]!r} that you may call. catalog.discover lists them.",
            code="tool_not_found",
        )
    findings: list[Finding] = []
    try:
        pipeline.validated(found, given.arguments)
    except ValidationError as error:
        for fault in error.errors or []:
            at = ".".join(str(part) for part in fault["loc"][1:])
            findings.append(Finding(at=at, fault=str(fault["msg"])[:500]))
    for at, name, text in _texts(given.arguments):
        context.checkpoint()
        finding = _look(text, at=at, name=name)
        if finding is not None:
            findings.append(finding)
        if len(findings) >= FINDINGS_MOST:
            break
    return ValidateOut(ok=not findings, kind="arguments", findings=findings[:FINDINGS_MOST])


def _look(text: str, *, at: str, name: str) -> Finding | None:
    """What is to say of one text; ``name``: under which it stands. None: nothing."""
    personal = Counter(kind for _, _, kind in spans(text))
    if name and is_sensitive_name(name):
        personal["field"] += 1
    finding = Finding(
        at=at[:300],
        looks_like=_pattern(text),
        personal=[Personal(kind=kind, count=count) for kind, count in sorted(personal.items())],
        fault=unstorable(text),
    )
    return finding if finding.looks_like or finding.personal or finding.fault else None


def _pattern(text: str) -> str | None:
    """What the text, or a piece of it, looks like."""
    pieces = (text[start : start + PIECE] for start in range(0, max(1, len(text)), PIECE - OVERLAP))
    return next(filter(None, map(injection.find, pieces)), None)


def _texts(value: JsonValue, at: str = "", name: str = "") -> Iterator[tuple[str, str, str]]:
    """(path, name, text) of every text in a document."""
    if isinstance(value, str):
        yield at, name, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(part, f"{at}.{key}" if at else key, key)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _texts(part, f"{at}.{number}" if at else str(number), name)
