"""Cypher as the gate reads it: grammar, tree, printer."""

CYPHER: dict[str, tuple[str, str]] = {}
