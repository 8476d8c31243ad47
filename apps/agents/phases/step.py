"""Phase 3: one todo -> what it gave (SPEC 7.1). Failures of models, tools and the graph are data, not exceptions.

    >>> step(view, 0, ports)
    StepResult(action='graph.ask', status='completed', input={'question': ...}, output={'text': '7 tasks failed.', ...})

A step that failed may be followed by one reflection, which may propose one other way; that one is not reflected upon.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.agents.phases import followups, links, messages, results, rights, tool_loop, validation
from apps.agents.phases.wording import say
from apps.agents.prompts import texts
from apps.agents.types import Intent, Ports, RunView, StepResult, Todo
from apps.llm.errors import CompletionError
from apps.llm.language import words

REFLECTIONS = 2  # of one run
NOT_REFLECTED = frozenset({"forbidden", "graph_write_forbidden", "refused", "answer_too_large", "approval_denied"})
UNKNOWN = Intent("CHAT", 0.0, "It was not classified.", "rules")
GRAPH_FIELDS = (
    "question", "cypher", "parameters", "columns", "rows", "truncated", "reading", "source", "degraded", "plan",
    "stages",
)  # fmt: skip
REFLECT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "give_up": {"type": "boolean"},
        "reason": {"type": "string", "maxLength": 300},
        "task": {"type": "string", "maxLength": validation.TASK_CHARS},
        "kind": {"type": "string", "enum": ["graph", "answer", "tool"]},
        "tool": {"type": ["string", "null"]},
        "arguments": {"type": "object"},
    },
    "required": ["give_up", "reason", "task", "kind"],
    "additionalProperties": False,
}


def step(view: RunView, index: int, ports: Ports) -> StepResult:
    """Do ``view.todos[index]``. Raises only what must end the step or the run: the ports' stops and spent budgets."""
    ports.checkpoint()
    todo = view.todos[index]
    ports.report("step", f"{index + 1} of {len(view.todos)}: {todo.task[:200]}")
    if todo.kind == "reflect":
        return _reflect(view, todo, ports)
    if todo.kind == "tool":
        done = _tool(todo, ports)
    elif todo.kind in ("graph", "explain"):
        done = _graph(view, todo, ports)
    else:
        done = _answer(view, todo, index, ports)
    if done.status == "failed" and _may_reflect(view, index, done):
        more = Todo(f"Another way to: {todo.task}"[: validation.TASK_CHARS], "reflect", arguments={"failed": index})
        return StepResult(done.action, done.status, done.input, done.output, done.error, (more,), (), done.warnings)
    return done


def _graph(view: RunView, todo: Todo, ports: Ports) -> StepResult:
    explain = todo.kind == "explain"
    action = "graph.explain" if explain else "graph.ask"
    question = followups.alone(view, todo.task, ports)
    asked = {"question": question, "explain": explain}
    said = ports.ask_graph(question, explain=explain)
    if (error := said.get("error")) is not None:
        return StepResult(action, "failed", asked, None, dict(error))
    if said.get("refused"):
        refusal = said.get("refusal") or {}
        message = " ".join(str(refusal.get(part) or "") for part in ("reason", "hint")).strip()
        error = {"code": "graph_refused", "message": message or "The graph did not answer.", "refusal": dict(refusal)}
        return StepResult(action, "failed", asked, _graph_output(said), error)
    notes = tuple(str(note) for note in said.get("notes") or ())
    output = _graph_output(said)
    output["text"] = links.defuse(output["text"], links.hosts_of(view.prompt) | ports.link_hosts)
    return StepResult(action, "completed", asked, output, evidence=(str(said.get("cypher", "")),), warnings=notes)


def _graph_output(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": str(said.get("sentence") or ""), **{name: said[name] for name in GRAPH_FIELDS if name in said}}


def _tool(todo: Todo, ports: Ports) -> StepResult:
    name = todo.tool or ""
    asked = {"tool": name, "arguments": dict(todo.arguments)}
    given = ports.invoke_tool(name, todo.arguments, tainted=todo.tainted)
    if not given.ok:
        return StepResult(
            name, "failed", asked, None, dict(given.error or {"code": "tool_error", "message": "It failed."})
        )
    return StepResult(name, "completed", asked, {"tool": name, "result": given.result}, evidence=(name,))


def _answer(view: RunView, todo: Todo, index: int, ports: Ports) -> StepResult:
    intent = view.intent or UNKNOWN
    italian = words.is_italian(view.prompt)
    if intent.category == "SECURITY":
        known = rights.answer(view, todo.task, italian=italian)
        if known:
            return StepResult("security.answer", "completed", {"task": todo.task}, {"text": known, "by": "rules"})
    found = results.as_data(results.findings(view, before=index), italian=italian)
    if intent.category == "SECURITY":
        found.append({"task": "the asker's rights", "status": "completed", **rights.facts(view)})
    system = "\n\n".join(part for part in (view.agent.system_prompt.strip(), texts.ANSWER) if part)
    history = ports.history()
    asked = messages.conversation(system, history, todo.task, found)
    tools = validation.offered(view, intent, ports.tools)
    is_direct = len(view.todos) == 1 and intent.category in ("CHAT", "GRAPH")
    input_ = {"task": todo.task, "results": len(found), "tools": [tool.name for tool in tools]}
    try:
        outcome = tool_loop.answer(
            asked, tools, ports, tainted=bool(found or history), say=ports.say if is_direct else None
        )
    except CompletionError as error:
        return StepResult("model.answer", "failed", input_, None, {"code": error.code, "message": error.detail})
    text = links.defuse(outcome.text, links.hosts_of(view.prompt) | ports.link_hosts)
    changing = [call for call in outcome.calls if ports.changes(call["tool"], call["arguments"])]
    if intent.category == "ADMIN" and not any(call["ok"] for call in changing):
        text = _not_done(view, changing, italian=italian)  # whatever the model says it did
    output = {"text": text, "model": outcome.answer.instance, "said": is_direct and bool(text), "calls": outcome.calls}
    evidence = tuple(str(call["tool"]) for call in outcome.calls if call["ok"])
    if not text and not any(call["ok"] for call in outcome.calls):
        nothing = {"code": "empty_answer", "message": "The model gave no answer."}
        return StepResult("model.answer", "failed", input_, output, nothing)
    if not text:
        output["result"] = [call.get("result") for call in outcome.calls if call["ok"]]
    return StepResult("model.answer", "completed", input_, output, evidence=evidence)


def _not_done(view: RunView, tried: Sequence[Mapping[str, Any]], *, italian: bool) -> str:
    """``tried``: calls that would have changed something, and failed."""
    if tried:
        reason = str(tried[-1]["error"].get("message") or "")
        return f"{say('step_failed', italian, reason=reason)} {say('nothing_done', italian)}"
    needed = rights.change_needs(view.prompt)
    how = say("how_graph" if needed.startswith("graph:") else "how_platform", italian)
    return f"{say('no_tool', italian, permission=needed, how=how)} {say('nothing_done', italian)}"


def _may_reflect(view: RunView, index: int, done: StepResult) -> bool:
    """Whether another way is worth a thought: within the run's steps, not after a refusal, not upon an alternative."""
    code = (done.error or {}).get("code")
    refusal = ((done.error or {}).get("refusal") or {}).get("layer")
    return (
        view.agent.planning_mode != "none"
        and code not in NOT_REFLECTED
        and refusal not in ("read_only", "tenant")
        and (view.intent or UNKNOWN).category not in ("DANGEROUS", "SECURITY", "EXPLAIN")
        and len(view.todos) + 2 <= view.max_steps
        and not (index > 0 and view.todos[index - 1].kind == "reflect")
        and sum(todo.kind == "reflect" for todo in view.todos) < REFLECTIONS
    )


def _reflect(view: RunView, todo: Todo, ports: Ports) -> StepResult:
    """Ask a model for one other way; what it proposes is checked like a plan."""
    failed = int(todo.arguments.get("failed", 0))
    intent = view.intent or UNKNOWN
    record = next((record for record in reversed(view.steps) if record.index == failed), None)
    what = {"task": view.todos[failed].task, "kind": view.todos[failed].kind, "error": record.error if record else None}
    asked = {"failed": failed, **what}
    tools = validation.offered(view, intent, ports.tools)
    try:
        said = ports.complete(
            messages.with_data(texts.REFLECT, view.prompt, step=what, tools=[tool.name for tool in tools]),
            purpose="reflect",
            response_schema=REFLECT_SCHEMA,
        ).data
    except CompletionError as error:
        return StepResult("reflect", "failed", asked, None, {"code": error.code, "message": error.detail})
    checked = validation.check([] if said["give_up"] else [said], view=view, intent=intent, tools=tools, tainted=True)
    tried = [view.todos[failed], Todo(view.prompt, view.todos[failed].kind)]
    more = tuple(other for other in checked.todos if all(_differs(other, one) for one in tried))[:1]
    output = {"reason": said["reason"], "alternative": more[0].task if more else None}
    return StepResult("reflect", "completed", asked, output, more=more, warnings=checked.warnings)


def _differs(other: Todo, failed: Todo) -> bool:
    """Whether it is another way indeed, and not the same in other signs."""
    same_words = set(words.terms(other.task)) == set(words.terms(failed.task))
    return not (same_words and other.kind == failed.kind and other.tool == failed.tool)
