"""Commands of the tool registry."""
