"""Layer 5: how long the query may run. The door enforces it, on the server."""

import math
from dataclasses import replace

from apps.graph.gate.draft import Draft
from apps.graph.gate.verdict import GateRefusal


def within_time(draft: Draft) -> tuple[Draft, str]:
    """The caller's wish when it is less than the limit, else the limit."""
    asked = draft.asked_timeout_s
    if asked is not None and not (math.isfinite(asked) and asked > 0):
        raise GateRefusal("time", "A time limit must be more than 0 seconds.", "Leave it out for the default.")
    timeout_s = draft.limits.timeout_s if asked is None else min(asked, draft.limits.timeout_s)
    return replace(draft, timeout_s=timeout_s), f"Ended on the server after {timeout_s:g} s."
