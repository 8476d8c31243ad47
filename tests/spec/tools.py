"""The tools: the one way to call one, and its doors."""

TOOLS: dict[str, tuple[str, str]] = {
    "tools:pipeline": (
        "SPEC 8",
        "Every call passes resolve, schema, policy, budget and approval, execute, output, audit.",
    ),
}
