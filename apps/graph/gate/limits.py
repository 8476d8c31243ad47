"""What a query may have at most. The settings make one; callers may ask for less, never for more."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """``rows`` and ``timeout_s`` are both the default and the most. ``score`` is cost.py's estimate of rows touched.

    ``size``: elements or characters that one value may be estimated to hold; ``range_length``: elements of one range();
    ``at_once``: steps inside the expressions of one row, which a server does not stop before they are done (ArcadeDB
    takes about 1 s for 10^6); ``reduces``: reduce() inside the steps of reduce().
    """

    text_bytes: int = 64 * 1024
    tokens: int = 2_000
    depth: int = 50
    hops: int = 5
    score: float = 2e10
    size: float = 1e7
    at_once: float = 5e6
    reduces: int = 3
    range_length: int = 10_000
    timeout_s: float = 5.0
    rows: int = 1_000
    skip: int = 100_000
    parameters: int = 100
    parameters_bytes: int = 1024 * 1024
    parameter_depth: int = 8
    pattern_length: int = 200


DEFAULTS = Limits()
