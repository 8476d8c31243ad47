"""The states of a tenant and the moves between them. Deleting has no way back: rows may be gone already."""

ACTIVE, SUSPENDED, DELETING = "active", "suspended", "deleting"

MOVES: dict[str, frozenset[str]] = {
    ACTIVE: frozenset({SUSPENDED, DELETING}),
    SUSPENDED: frozenset({ACTIVE, DELETING}),
    DELETING: frozenset(),
}
