"""Tables of the tool registry and of what was called."""
