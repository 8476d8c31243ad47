"""The six layers of the gate, and the walls behind them."""

GATE: dict[str, tuple[str, str]] = {
    "gate:six-layers": ("SPEC 8", "A query passes six layers in one order, each with its own finding and time."),
    "gate:refusal": ("SPEC 2.8", "A refusal names the layer, the reason and what to write instead, as a 422."),
    "gate:reprinted": ("security 91", "What runs is printed from the tree, and its hash is the one that is audited."),
    "gate:syntax": ("SPEC 8", "Layer 1 takes texts that read, of bounded size, with every name known."),
    "gate:parameters": ("security 86", "Parameters are JSON values of bounded size under plain names."),
    "gate:functions": ("security 80", "Layer 2 knows functions by exact name, and no procedures."),
    "gate:vocabulary": (
        "security R29",
        "Names of data come from the schema, and tenant_id is nobody's to name.",
    ),
    "gate:positions": ("security 95", "Layer 3 binds every pattern to the tenant, wherever it stands."),
    "gate:interiors": ("security R28", "The nodes inside a path of several hops are checked one by one."),
    "gate:shortest": ("security 95", "A shortest path is looked for inside the tenant, not filtered afterwards."),
    "gate:guards": ("security 89", "A condition that can fail is only worked out on the tenant's own data."),
    "gate:proof": ("security R28", "A tree with a pattern that is not bound stops everything."),
    "gate:hops": ("SPEC 8", "Layer 4 bounds every path."),
    "gate:work": ("security 88", "Layer 4 refuses queries that may touch too many rows or build too large values."),
    "gate:regexes": ("security 88", "Regular expressions that may take for ever are refused."),
    "gate:time": ("SPEC 8", "Layer 5 gives a time limit that callers may lower and never raise."),
    "gate:rows": ("SPEC 8", "Layer 6 adds or lowers the outermost LIMIT, around a UNION, too."),
    "gate:belongs": (
        "security R28",
        "What comes back is looked at once more, and only the tenant's is let out.",
    ),
    "gate:isolation": (
        "security 2F",
        "Random queries give the same rows and errors whether or not another tenant's data surround one's own.",
    ),
    "gate:isolation-can-fail": (
        "security 2F",
        "The proof of isolation turns red when a part of the gate is missing.",
    ),
    "gate:runs": ("issue 5", "What the gate lets through is what a real server answers rightly."),
    "gate:fits-schema": (
        "SPEC 9.3",
        "A change writes only what the schema has: types, values, directions, and all that may not be missing.",
    ),
    "gate:changes": (
        "SPEC 2.3",
        "A change is bound to the tenant like a query, and makes only what is the tenant's.",
    ),
    "gate:counts": ("SPEC 2.3", "A query that changes nothing counts what a change would touch."),
}
