"""Phase 2: the todos of a run (SPEC 7.1). A model may propose them; code decides which of them are done (R30).

    >>> [todo.task for todo in plan(view("How many tasks failed, and which users run the most tasks?"), ports)]
    ['How many tasks failed', 'which users run the most tasks?']

Modes: ``none`` asks no model; ``optional`` only where the rules see several requests in the prompt, or one for a
change that tools could make; ``full`` always. A plan is made of the person's own words, before anything is read: the
calls that it fixes are the person's wish, which later ones need not be (R30).
What is refused, or about rights, is planned by rules in every mode.
"""

from dataclasses import dataclass
from typing import Any

from apps.agents.phases import messages, offers, rights, validation
from apps.agents.phases.reading import read
from apps.agents.prompts import texts
from apps.agents.types import Intent, Ports, RunView, Todo, TodoKind
from apps.llm.errors import CompletionError
from apps.llm.language import words
from apps.llm.language.goals import refers_back, requests_of
from apps.llm.language.intents import intent_of

GRAPH_CONFIDENCE = 0.8  # of the rules, to ask the graph in a run that is not about it
_ON_RESULTS = words.term_set("summarize compare format rewrite translate describe write report conclude interpret")


@dataclass(frozen=True, slots=True)
class Plan:
    """``warnings``: what was proposed and dropped, a sentence each."""

    todos: tuple[Todo, ...]
    warnings: tuple[str, ...] = ()


def plan(view: RunView, ports: Ports) -> tuple[Todo, ...]:
    """The todos, at most ``view.max_steps`` of them; none for what needs no step. Warnings are reported."""
    made = plan_run(view, ports)
    for warning in made.warnings:
        ports.report("plan", warning)
    return made.todos


def plan_run(view: RunView, ports: Ports) -> Plan:
    """The same with its warnings. Never fails for want of a model."""
    intent = view.intent or Intent("CHAT", 0.0, "It was not classified.", "rules")
    text = read(view.prompt).text
    if intent.missing or intent.category in ("SECURITY", "DANGEROUS"):
        return Plan(_without_model(view, intent, text))
    ruled = _by_rules(view, intent, requests_of(text) or [text], text)
    warnings: tuple[str, ...] = ()
    if len(ruled) > view.max_steps:
        left_out = "; ".join(todo.task[: validation.SHOWN_CHARS] for todo in ruled[view.max_steps :])
        warnings = (f"A run has at most {view.max_steps} steps; this was left out: {left_out}",)
        ruled = ruled[: view.max_steps]
    mode = view.agent.planning_mode
    if mode == "none" or (mode == "optional" and len(ruled) < 2 and not _is_planned_change(view, intent, text, ports)):
        return Plan(ruled, warnings)
    return _by_model(view, intent, text, Plan(ruled, warnings), ports)


def _is_planned_change(view: RunView, intent: Intent, text: str, ports: Ports) -> bool:
    """Whether a call could be fixed now: a change that can be understood without what was said before."""
    tools = validation.offered(view, intent, ports.tools)
    return intent.category == "ADMIN" and any(tool.name in ports.writes for tool in tools) and not refers_back(text)


def _without_model(view: RunView, intent: Intent, text: str) -> tuple[Todo, ...]:
    if intent.missing:
        return ()
    if intent.category == "SECURITY":
        return (Todo(text, "answer"),)
    meant = offers.selecting(text)
    return (Todo(meant, "explain"),) if meant and rights.may(view, "graph:read") else ()


def _by_rules(view: RunView, intent: Intent, requests: list[str], text: str) -> tuple[Todo, ...]:
    if len(requests) == 1:
        kind = _kind_of(intent)
        return (Todo(_asked_of_graph(text) if kind == "explain" else text, kind),)
    todos: list[Todo] = []
    for request in requests:
        kind = _kind_of_part(view, intent, request, after_graph=any(todo.kind == "graph" for todo in todos))
        if kind == "graph" and todos and todos[-1].kind == "graph" and refers_back(request):
            todos[-1] = Todo(f"{todos[-1].task}, {request}", "graph")  # cannot be understood alone
        else:
            todos.append(Todo(_asked_of_graph(request) if kind == "explain" else request, kind))
    if len(todos) > 1 and all(todo.kind == "answer" for todo in todos):
        return (Todo(text, "answer"),)  # one answer covers a conversation's parts
    return tuple(todos)


def _asked_of_graph(text: str) -> str:
    """What is to be explained: a question that reads, even where the wish itself would not."""
    about = offers.explained(text)
    return offers.selecting(about) or about


def _kind_of(intent: Intent) -> TodoKind:
    kinds: dict[str, TodoKind] = {"GRAPH": "graph", "EXPLAIN": "explain"}
    return kinds.get(intent.category, "answer")


def _kind_of_part(view: RunView, intent: Intent, request: str, *, after_graph: bool) -> TodoKind:
    said = set(words.all_terms(request)[:4])
    if after_graph and said & _ON_RESULTS:
        return "answer"
    found = intent_of(request)
    if found.category == "EXPLAIN" or (intent.category == "EXPLAIN" and found.category == "GRAPH"):
        return "explain"
    least = GRAPH_CONFIDENCE if intent.category != "GRAPH" else 0.65
    may_ask = found.category == "GRAPH" and found.confidence >= least and rights.may(view, "graph:read")
    return "graph" if may_ask else "answer"


def schema(view: RunView, kinds: tuple[TodoKind, ...]) -> dict[str, Any]:
    """What a model's plan must look like."""
    return {
        "type": "object",
        "properties": {
            "todos": {
                "type": "array",
                "minItems": 1,
                "maxItems": view.max_steps,
                "items": {
                    "type": "object",
                    "properties": {
                        "task": {"type": "string", "minLength": 1, "maxLength": validation.TASK_CHARS},
                        "kind": {"type": "string", "enum": list(kinds)},
                        "tool": {"type": ["string", "null"]},
                        "arguments": {"type": "object"},
                    },
                    "required": ["task", "kind"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["todos"],
        "additionalProperties": False,
    }


def _by_model(view: RunView, intent: Intent, text: str, ruled: Plan, ports: Ports) -> Plan:
    tools = validation.offered(view, intent, ports.tools)
    kinds = validation.kinds_for(view, intent)
    listed = [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools]
    offered: dict[str, Any] = {"kinds": [kind for kind in kinds if kind != "tool" or tools], "tools": listed}
    try:
        said = ports.complete(
            messages.with_data(texts.PLAN, text, offered=offered), purpose="plan", response_schema=schema(view, kinds)
        )
    except CompletionError as error:
        return Plan(ruled.todos, (*ruled.warnings, f"No model could plan ({error.code}); the rules did."))
    checked = validation.check(said.data["todos"], view=view, intent=intent, tools=tools, tainted=False)
    todos = _sharpened(checked.todos, ruled.todos)
    if not todos:
        nothing = "Nothing of the model's plan was left; the rules planned."
        return Plan(ruled.todos, (*checked.warnings, *ruled.warnings, nothing))
    return Plan(todos, checked.warnings)


def _sharpened(proposed: tuple[Todo, ...], ruled: tuple[Todo, ...]) -> tuple[Todo, ...]:
    """A plan that says no more than the rules' own keeps their kinds: they read the graph where words speak of it."""
    if [todo.task.strip(" .?") for todo in proposed] == [todo.task.strip(" .?") for todo in ruled]:
        return tuple(
            mine if theirs.kind == "answer" or theirs.tool is None else theirs
            for mine, theirs in zip(ruled, proposed, strict=True)
        )
    return proposed
