"""The numbers a long run ends with."""

from collections.abc import Sequence

_lines: list[tuple[str, str, str]] = []


def note(promise: str, what: str, value: object) -> None:
    """One line of the table."""
    _lines.append((promise, what, str(value)))


def spread(seconds: Sequence[float]) -> str:
    """p50, p99 and the worst of some durations."""
    if not seconds:
        return "none"
    ordered = sorted(seconds)
    p50, p99 = (ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.99))
    return f"n {len(ordered)}, p50 {p50:.2f}, p99 {p99:.2f}, max {ordered[-1]:.2f}"


def table() -> list[str]:
    return [f"{promise:<5} {what:<58} {value}" for promise, what, value in _lines]
