"""JSON Schema validation, compiled once per schema: job payloads now, tool inputs later."""

from typing import Any

import jsonschema_rs


class PayloadValidator:
    """A compiled JSON Schema (draft 2020-12). Thread-safe."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._validator = jsonschema_rs.validator_for(schema)

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
