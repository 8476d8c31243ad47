"""What the finished steps of a run say: in words, as data for a model, as the run's outputs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.agents.phases.wording import say
from apps.agents.types import RunView, StepRecord, Todo

SHOWN_ROWS = 20
RESULT_CHARS = 6_000  # of one step in a prompt
TOOL_CHARS = 1_500
REFUSALS = frozenset(
    {"graph_refused", "forbidden", "graph_write_forbidden", "no_alternative", "approval_denied"}
)  # not a breakdown


@dataclass(frozen=True, slots=True)
class Finding:
    """One finished step with the todo it was for."""

    todo: Todo
    record: StepRecord

    @property
    def ok(self) -> bool:
        return self.record.status == "completed"

    @property
    def output(self) -> Mapping[str, Any]:
        return self.record.output if isinstance(self.record.output, Mapping) else {}

    @property
    def reason(self) -> str:
        """Why it failed, a sentence."""
        return str((self.record.error or {}).get("message") or "It failed.")

    @property
    def broke(self) -> bool:
        """Whether something broke, rather than that the question had no answer."""
        return not self.ok and (self.record.error or {}).get("code") not in REFUSALS


def findings(view: RunView, *, before: int | None = None) -> list[Finding]:
    """What was found so far, without reflections and without steps that an alternative made good."""
    latest: dict[int, StepRecord] = {}
    for record in view.steps:
        if record.index not in latest or record.attempt >= latest[record.index].attempt:
            latest[record.index] = record
    found = []
    for index, todo in enumerate(view.todos):
        if before is not None and index >= before:
            break
        if index in latest and todo.kind != "reflect" and not _made_good(view, index, latest):
            found.append(Finding(todo, latest[index]))
    return found


def _made_good(view: RunView, index: int, latest: Mapping[int, StepRecord]) -> bool:
    """Whether the step failed, and the other way that a reflection upon it found did not."""
    thought, other = latest.get(index + 1), latest.get(index + 2)
    if latest[index].status == "completed" or thought is None or other is None:
        return False
    found = isinstance(thought.output, Mapping) and thought.output.get("alternative")
    return view.todos[index + 1].kind == "reflect" and bool(found) and other.status == "completed"


def text_of(finding: Finding, *, italian: bool) -> str:
    """One step's result in words, by no model."""
    if not finding.ok:
        return say("step_failed", italian, reason=finding.reason)
    output = finding.output
    if finding.todo.kind == "explain":
        parts = [str(output.get("text") or say("explained", italian)), code_of(output)]
        if output.get("plan"):
            parts += [say("plan_of_query", italian), f"```\n{str(output['plan'])[:TOOL_CHARS]}\n```"]
        return "\n\n".join(part for part in parts if part)
    text = str(output.get("text") or "").strip()
    if finding.todo.kind == "graph":
        text = text or say("found_rows", italian, count=len(output.get("rows") or []))
        return f"{text} {say('cut', italian)}" if output.get("truncated") and "…" not in text else text
    if text:
        return text
    if "result" in output:
        shown = json.dumps(output["result"], ensure_ascii=False, default=str)[:TOOL_CHARS]
        return say("tool_gave", italian, tool=output.get("tool", "-"), result=shown)
    return say("nothing_done", italian)


def code_of(output: Mapping[str, Any]) -> str:
    """The query of an answer, to be read; "" without one."""
    cypher = str(output.get("cypher") or "")
    return f"```cypher\n{cypher}\n```" if cypher else ""


def in_words(found: Iterable[Finding], *, italian: bool) -> str:
    """All results, each under its task; a single one alone."""
    every = list(found)
    if len(every) == 1:
        return text_of(every[0], italian=italian)
    return "\n\n".join(f"**{finding.todo.task}**\n{text_of(finding, italian=italian)}" for finding in every)


def as_data(found: Iterable[Finding], *, italian: bool) -> list[dict[str, Any]]:
    """The results for a prompt: {task, status, text, columns?, rows?, cypher?}, each within RESULT_CHARS."""
    return [_data_of(finding, italian=italian) for finding in found]


def _data_of(finding: Finding, *, italian: bool) -> dict[str, Any]:
    output = finding.output
    said: dict[str, Any] = {
        "task": finding.todo.task,
        "status": finding.record.status,
        "text": text_of(finding, italian=italian)[: RESULT_CHARS // 2],
    }
    rows = list(output.get("rows") or [])[:SHOWN_ROWS] if finding.ok else []
    if rows and finding.todo.kind == "graph":
        while rows and len(json.dumps(rows, ensure_ascii=False, default=str)) > RESULT_CHARS // 2:
            rows = rows[: len(rows) // 2]
        said |= {"columns": list(output.get("columns") or []), "rows": rows}
    return said


def outputs_of(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """What the steps gave, as JSON outputs: of the graph always with the query, its parameters and the rows."""
    outputs: list[dict[str, Any]] = []
    for finding in found:
        output = finding.output
        base = {"type": "json", "step": finding.record.index, "kind": finding.todo.kind, "task": finding.todo.task}
        if finding.todo.kind in ("graph", "explain") and finding.ok:
            names = ("question", "cypher", "parameters", "columns", "rows", "truncated", "reading", "source", "plan")
            outputs.append(base | {name: output[name] for name in names if name in output})
        elif finding.todo.kind == "tool" and finding.ok:
            outputs.append(base | {"tool": output.get("tool"), "result": output.get("result")})
        elif not finding.ok:
            outputs.append(base | {"error": dict(finding.record.error or {})})
    return outputs
