"""Job type -> handler. A test holds it against apps.jobs.types.

This table is read before Django is set up: a handler that uses models is imported when its first job comes.
"""

from importlib import import_module
from typing import Any

from workers.execution import Execution
from workers.handlers import demo, long_running, selftest
from workers.handlers.base import Handler


def _later(module: str) -> Handler:
    """``run`` of a module that cannot be imported yet."""

    def run(job: Execution) -> dict[str, Any]:
        result: dict[str, Any] = import_module(module).run(job)
        return result

    return run


HANDLERS: dict[str, Handler] = {
    "demo": demo.run,
    "test": selftest.run,
    "long-running": long_running.run,
    "tool.invoke": _later("workers.handlers.tool_invoke"),
    "agent.run": _later("workers.handlers.agent_run"),
    "tenant.offboard": _later("workers.handlers.tenant_offboard"),
    "model.pull": _later("workers.handlers.model_pull"),
    "model.warmup": _later("workers.handlers.model_warmup"),
}


def handler_for(type_name: str) -> Handler:
    """The handler of a type; KeyError for one this worker does not know (it never claims those)."""
    return HANDLERS[type_name]
