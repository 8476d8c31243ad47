"""What a handler is: a function from an execution to a JSON result. It calls report, wait or checkpoint often."""

from typing import Any, Protocol

from workers.execution import Execution


class Handler(Protocol):
    """Raise a PlatformError to fail the job with a sentence for its owner."""

    def __call__(self, job: Execution) -> dict[str, Any]: ...
