"""Answers that must be JSON of a given schema: reading them out of a model's text, and asking once for a repair."""

from functools import lru_cache
from typing import Any

import jsonschema_rs
from pydantic_core import from_json, to_json

from apps.llm.providers.parts import storable
from apps.llm.types import Message

SHOWN_FAULTS = 5
FAULT_CHARS = 300


class Misfit(Exception):
    """The text is not JSON of the schema; the text of the exception says why, for the model."""


def check_schema(schema: dict[str, Any]) -> None:
    """ValueError when it is no JSON Schema, or one that points outside itself."""
    try:
        _validator(to_json(schema))
    except jsonschema_rs.ValidationError as error:
        raise ValueError(f"response_schema is no JSON Schema: {error.message}") from error
    except jsonschema_rs.ReferencingError as error:
        raise ValueError(f"response_schema has a reference that leads nowhere: {error}") from error


def read(text: str, schema: dict[str, Any]) -> Any:
    """The value that the text holds, alone or within a fence of Markdown. Misfit otherwise."""
    try:
        value, _ = storable(from_json(_unfenced(text), allow_inf_nan=False))
    except ValueError as error:
        raise Misfit(f"It is not JSON: {error}") from error
    faults = [
        f"{'/'.join(str(step) for step in fault.instance_path) or 'the whole'}: {fault.message}"[:FAULT_CHARS]
        for _, fault in zip(range(SHOWN_FAULTS), _validator(to_json(schema)).iter_errors(value), strict=False)
    ]
    if faults:
        raise Misfit("; ".join(faults))
    return value


def repair_turn(messages: tuple[Message, ...], text: str, misfit: Misfit) -> tuple[Message, ...]:
    """The conversation with the bad answer and what is wrong with it."""
    return (
        *messages,
        Message("assistant", text),
        Message(
            "user",
            f"That does not fit the required JSON Schema. {misfit} Answer again with the corrected JSON only.",
        ),
    )


def _unfenced(text: str) -> str:
    stripped = text.strip()
    if stripped.startswith("```"):
        first_line, _, rest = stripped.partition("\n")
        if rest and rest.rstrip().endswith("```") and len(first_line) <= len("```json5"):
            return rest.rstrip()[:-3]
    return stripped


@lru_cache(maxsize=256)
def _validator(schema_json: bytes) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(from_json(schema_json), validate_formats=True, retriever=_nowhere)


def _nowhere(uri: str) -> Any:
    raise ValueError(f"{uri} is not fetched")
