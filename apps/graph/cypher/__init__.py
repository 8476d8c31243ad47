"""Cypher as this platform reads it: a grammar of the allowed subset, its syntax tree, and its printer. Pure."""
