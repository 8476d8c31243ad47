"""A table of allowed moves between states."""

from kernel.errors import ConflictError


class Transitions:
    """``Transitions({"queued": {"running"}})``: from each state, the states it may move to."""

    def __init__(self, moves: dict[str, frozenset[str]]) -> None:
        self.moves = moves
        self.terminal = frozenset(state for state, targets in moves.items() if not targets)

    def check(self, old: str, new: str) -> None:
        """ConflictError when the move is not in the table."""
        if new not in self.moves.get(old, frozenset()):
            raise ConflictError(f"A {old} job cannot become {new}.", code="illegal_transition")
