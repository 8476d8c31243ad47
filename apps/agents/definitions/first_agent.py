"""The agent that a new installation answers with, where a run names none."""

from apps.agents.definitions.selectors import DEFAULT
from apps.agents.definitions.services import create_agent
from apps.agents.models import Agent
from kernel import engine_db
from kernel.errors import ConflictError

DEFINITION = {
    "description": "Answers in words, asks the graph, and uses the tools that its caller may use.",
    "system_prompt": "",  # the phases' own prompts say how to answer; an administrator adds what is particular here
    "planning_mode": "optional",
    "response_mode": "llm-best-effort",
    "max_steps": 8,
}


def ensure_default_agent() -> bool:
    """Lay the platform's agent `default` where there is none. True when it did; what was changed stays as it is."""
    if Agent.objects.using(engine_db.ALIAS).filter(tenant__isnull=True, name=DEFAULT).exists():
        return False
    try:
        create_agent(tenant_id=None, name=DEFAULT, fields=DEFINITION, by=None)
    except ConflictError:  # another process was first
        return False
    return True
