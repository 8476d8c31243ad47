"""JSON Schema validation, compiled once per schema: job payloads now, tool inputs later."""

import math
import re
from typing import Any

import jsonschema_rs

_SURROGATE = re.compile("[\ud800-\udfff]")


class PayloadValidator:
    """A compiled JSON Schema (draft 2020-12); a format (uuid, date-time) is a rule. Thread-safe."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._validator = jsonschema_rs.validator_for(schema, validate_formats=True)

    def faults(self, payload: Any, *, at: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Every fault as {loc, msg, type, schema_path}; empty when the payload is valid."""
        if self._validator.is_valid(payload):
            return []
        return [
            {
                "loc": [*at, *error.instance_path],
                "msg": error.message[:300],
                "type": str(error.schema_path[-1]) if error.schema_path else "schema",
                "schema_path": "/" + "/".join(str(part) for part in error.schema_path),
            }
            for error in self._validator.iter_errors(payload)
        ]


def unstorable(value: Any) -> str | None:
    """Why PostgreSQL's jsonb cannot hold this decoded JSON value, None when it can."""
    if isinstance(value, str):
        if "\0" in value:
            return "text must not contain the NUL character"
        return "text must not contain half of a surrogate pair" if _SURROGATE.search(value) else None
    if isinstance(value, float):
        return None if math.isfinite(value) else "numbers must be finite"
    if isinstance(value, dict):
        return next(filter(None, (unstorable(part) for pair in value.items() for part in pair)), None)
    if isinstance(value, list):
        return next(filter(None, (unstorable(part) for part in value)), None)
    return None
