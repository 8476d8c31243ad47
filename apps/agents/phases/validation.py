"""What becomes of a model's proposals: unknown tools, kinds that are not offered, steps beyond the limit and wishes
that are refused are dropped, each with a sentence (R30: the model proposes, code decides)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.agents.phases import rights
from apps.agents.types import Intent, RunView, Todo, TodoKind
from apps.llm.language.intents import intent_of
from apps.llm.types import ToolSpec

TASK_CHARS = 2_000
SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class Checked:
    """``todos``: what is left of the proposals, in their order."""

    todos: tuple[Todo, ...]
    warnings: tuple[str, ...]


def offered(view: RunView, intent: Intent, tools: Sequence[ToolSpec]) -> tuple[ToolSpec, ...]:
    """The tools that a run of this intent may be offered: what its ports have, less what its agent may not use."""
    allowed = view.agent.tools
    return tuple(tool for tool in tools if allowed is None or tool.name in allowed)


def kinds_for(view: RunView, intent: Intent) -> tuple[TodoKind, ...]:
    """The kinds of steps that a run of this intent may have."""
    if intent.category == "EXPLAIN":
        return ("explain", "answer")
    if not rights.may(view, "graph:read"):
        return ("answer", "tool")
    return ("graph", "explain", "answer", "tool")


def check(
    proposals: Sequence[Mapping[str, Any]], *, view: RunView, intent: Intent, tools: Sequence[ToolSpec], tainted: bool
) -> Checked:
    """The todos that may be done. ``proposals``: {task, kind, tool?, arguments?}, as the schema of plans has them.

    ``tainted``: whoever proposed them had read data before.
    """
    names = {tool.name for tool in tools}
    kinds = kinds_for(view, intent)
    todos: list[Todo] = []
    warnings: list[str] = []
    for proposal in proposals:
        task, kind, tool = str(proposal["task"]).strip()[:TASK_CHARS], proposal["kind"], proposal.get("tool") or None
        shown = repr(task[:SHOWN_CHARS])
        if kind == "tool" and tool is None:
            kind = "answer"  # who answers is offered the tools
        if kind not in kinds:
            warnings.append(f"The step {shown} was dropped: this run has no steps of kind {kind!r}.")
        elif kind == "tool" and tool not in names:
            warnings.append(f"The step {shown} was dropped: there is no tool {str(tool)[:SHOWN_CHARS]!r} here.")
        elif _is_forbidden(task, intent):
            warnings.append(f"The step {shown} was dropped: it would change something that was not asked for.")
        elif len(todos) >= view.max_steps:
            warnings.append(f"The step {shown} was dropped: a run has at most {view.max_steps} steps.")
        elif any(todo.task == task and todo.tool == tool for todo in todos):
            warnings.append(f"The step {shown} was dropped: it is there already.")
        else:
            arguments = proposal.get("arguments") if kind == "tool" else None
            named = tool if kind == "tool" else None
            todos.append(Todo(task, kind, tool=named, arguments=dict(arguments or {}), tainted=tainted))
    return Checked(tuple(todos), tuple(warnings))


def _is_forbidden(task: str, intent: Intent) -> bool:
    """Whether a step wants more than the run's own prompt: a danger always, a change where the run is not one."""
    found = intent_of(task)
    return found.category == "DANGEROUS" or (found.category == "ADMIN" and intent.category != "ADMIN")
