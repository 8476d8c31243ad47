"""What job types ask before a job is accepted, and before it is shown whole, by type. Imports nothing, so that any app
can put its own here."""

from collections.abc import Callable
from typing import Any

# Type -> a check of the caller (a Principal) and the payload, whose shape is right already. It refuses by a
# PlatformError.
CHECKS: dict[str, Callable[[Any, dict[str, Any]], None]] = {}

# Type -> why this caller (a Principal) may not see what went into such a job, of this payload, and came out; None when
# it may.
WITHHELD: dict[str, Callable[[Any, dict[str, Any]], str | None]] = {}
