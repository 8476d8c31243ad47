"""Job type -> handler. A test holds it against apps.jobs.types."""

from workers.handlers import agent_run, demo, long_running, selftest
from workers.handlers.base import Handler

HANDLERS: dict[str, Handler] = {
    "demo": demo.run,
    "test": selftest.run,
    "long-running": long_running.run,
    "agent.run": agent_run.run,
}


def handler_for(type_name: str) -> Handler:
    """The handler of a type; KeyError for one this worker does not know (it never claims those)."""
    return HANDLERS[type_name]
