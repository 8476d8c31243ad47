"""What job types ask before a job is accepted, by type. Imports nothing, so that any app can put its own here."""

from collections.abc import Callable
from typing import Any

# Type -> a check of the caller (a Principal) and the payload, whose shape is right already. It refuses by a
# PlatformError.
CHECKS: dict[str, Callable[[Any, dict[str, Any]], None]] = {}
