"""The graph: its door, dialects, schema, seed data, import and export, REST."""

GRAPH: dict[str, tuple[str, str]] = {}
