"""From a question to an answer: the six stages."""

ASKING: dict[str, tuple[str, str]] = {}
