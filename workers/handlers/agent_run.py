"""Job type agent.run. Agents are not part of this version: the job ends as failed and says so."""

from typing import Any

from kernel.errors import PlatformError
from workers.execution import Execution


class AgentsNotAvailable(PlatformError):
    """This version has no agents yet."""

    code = "agents_not_available"


def run(job: Execution) -> dict[str, Any]:
    """Always raises AgentsNotAvailable."""
    raise AgentsNotAvailable("Agent runs are not available in this version. Job types demo, test and long-running are.")
