"""What a model is told and shown: the schema, the rules, the question; and for a summary the rows. All of it data."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from apps.graph import schema
from apps.graph.nl2cypher.types import Prompt, Question

SHOWN_ROWS = 30
SHOWN_CHARS = 200  # of one value
MAX_HOPS = 5
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["cypher", "parameters", "explanation"],
    "properties": {
        "cypher": {"type": "string", "maxLength": 4_000},
        "parameters": {
            "type": "object",
            "maxProperties": 30,
            "additionalProperties": {"type": ["string", "number", "boolean", "array", "null"]},
        },
        "explanation": {"type": "string", "maxLength": 500},
    },
}
_FOLDER = Path(__file__).parent / "prompts"


def cypher_prompt(question: Question) -> Prompt:
    """Ask for the query of a question."""
    system = _text("cypher.txt").format(schema=schema_text(), hops=MAX_HOPS, examples=_examples())
    return Prompt("cypher", system, f"<question>{_as_data(question.text)}</question>", schema=ANSWER_SCHEMA)


def repair_prompt(first: Prompt, answered: dict[str, Any], refused: str) -> Prompt:
    """Ask again, with the gate's own words about the first try."""
    turns = (
        ("assistant", json.dumps(answered, ensure_ascii=False)),
        ("user", f"The gate refused that query: {refused} Answer again with a query that it lets through."),
    )
    return Prompt(first.purpose, first.system, first.user, turns, first.schema)  # type: ignore[arg-type]


def summary_prompt(
    question: str, reading: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], more: bool
) -> Prompt:
    """Ask for sentences about rows."""
    shown = [[_short(value) for value in row] for row in rows[:SHOWN_ROWS]]
    told = {
        "columns": list(columns),
        "rows": shown,
        "rows_in_all": len(rows),
        "there_are_more": more,
    }
    data = json.dumps(told, ensure_ascii=False, default=str)
    parts = {"question": question, "meaning": reading, "rows": data}
    user = "\n".join(f"<{name}>{_as_data(text)}</{name}>" for name, text in parts.items())
    return Prompt("summarize", _text("summary.txt"), user)


@cache
def schema_text() -> str:
    """Labels with their properties and values, then relationships, one a line."""
    lines = []
    for label in schema.LABELS:
        lines.append(f"(:{label.label}) {label.about}: {_properties(label.properties)}")
        lines += [
            f"(:{label.label}:{kind.label}) {kind.about}, also: {_properties(kind.properties) or 'nothing'}"
            for kind in label.kinds
        ]
    for one in schema.RELATIONSHIPS:
        told = f" {{{_properties(one.properties)}}}" if one.properties else ""
        lines.append(f"(:{one.source})-[:{one.type}{told}]->(:{one.target}) {one.about}")
    return "\n".join(lines)


def _properties(properties: tuple[schema.Property, ...]) -> str:
    return ", ".join(
        f"{one.name} {one.type}"
        + (f" ({' | '.join(one.values)})" if one.values else "")
        + (" may be missing" if one.may_miss else "")
        for one in properties
    )


@cache
def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _examples() -> str:
    shown = []
    for one in json.loads(_text("examples.json")):
        answer = {key: one[key] for key in ("cypher", "parameters", "explanation")}
        shown.append(f"<question>{one['question']}</question>\n{json.dumps(answer, ensure_ascii=False)}")
    return "\n".join(shown)


def _as_data(text: str) -> str:
    """No tag of ours can be closed from within."""
    return text.replace("<", "‹").replace(">", "›")


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > SHOWN_CHARS:
        return value[:SHOWN_CHARS] + "…"
    return value
