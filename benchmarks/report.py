"""How figures are printed: medians of interleaved rounds, with their spread, and ratios taken round by round."""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime

_began = time.monotonic()


def say(line: str) -> None:
    """Progress, with the seconds since the start."""
    print(f"[{time.monotonic() - _began:6.1f} s] {line}", flush=True)


def utc_now() -> datetime:
    """Aware, in UTC."""
    return datetime.now(UTC)


def arguments(description: str | None, **defaults: int | float) -> argparse.Namespace:
    """``--name value`` for each default; a name's unit is in its name."""
    parser = argparse.ArgumentParser(description=description)
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args()


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank: ``share`` 0.99 of 200 values is the 198th."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered)) - 1))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios of each round: noise that lasts longer than a round cancels out."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median (lowest to highest)."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def verdict(value: float, target: float, *, at_most: bool = False) -> str:
    """A value against its target."""
    met = value <= target if at_most else value >= target
    sign = "<=" if at_most else ">="
    return f"{value:.2f} (target {sign} {target:g}: {'met' if met else 'MISSED'})"


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A Markdown table, aligned."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    print(f"\n## {title}")
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    for number, line in enumerate(lines):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(flush=True)
