"""Questions of runs to the graph, in words or in Cypher: answers as JSON, never larger than a tape keeps."""

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pydantic_core import to_json

from apps.agents.thinking.tape import ANSWER_BYTES
from apps.graph import asking, queries
from apps.graph.asking import OnBehalf
from apps.graph.gate.verdict import GateRefusal
from apps.identity.principal import Principal

ROOM_BYTES = 8 * 1024  # for what the tape puts around it
ROWS = 200
_CYPHER = re.compile(r"\s*(?:(?:optional\s+)?match\s*\(|unwind\s+\S+\s+as\b|call\s*(?:\{|\w+\.))", re.IGNORECASE)


def ask(
    principal: Principal, question: str, *, explain: bool, model: str | None, behalf: OnBehalf | None = None
) -> dict[str, Any]:
    """The answer, or the refusal, as a dict (apps/graph/nl2cypher/types.py, Answer). ``explain``: nothing runs.

    PlatformError where the graph, or a model for it, cannot be asked.
    """
    if _CYPHER.match(question):
        cancelled = None if behalf is None else behalf.cancelled
        return _of_query(principal, question.strip(), explain=explain, cancelled=cancelled)
    answer = asking.ask(principal, question, model=model, explain=explain, behalf=behalf)
    said = asdict(answer)
    return said | {"parameters": queries.shown(said["parameters"])}


def bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with as many of its rows as a tape keeps; a note says that there were more."""
    kept = dict(answer)
    rows = list(kept.get("rows") or [])
    while rows and len(to_json(kept, inf_nan_mode="null")) > ANSWER_BYTES - ROOM_BYTES:
        rows = rows[: len(rows) // 2]
        note = f"The answer was too large to keep: only its first {len(rows)} rows are shown."
        kept |= {"rows": rows, "truncated": True, "notes": [*(answer.get("notes") or []), note]}
    return kept


def _of_query(
    principal: Principal, cypher: str, *, explain: bool, cancelled: Callable[[], bool] | None
) -> dict[str, Any]:
    """The same for a query that the person wrote."""
    said: dict[str, Any] = {"question": cypher, "mode": "explain" if explain else "run", "source": "written"}
    try:
        if explain:
            explained = queries.explain(principal, cypher, {})
            passed, plan = explained.passed, explained.plan.text
            return said | {"cypher": passed.text, "parameters": queries.shown(passed.parameters), "plan": plan}
        page = queries.run(principal, cypher, {}, limit=ROWS, cancelled=cancelled)
    except GateRefusal as refusal:
        why = {"stage": "validate", "layer": refusal.layer, "reason": refusal.message, "hint": refusal.hint}
        return said | {"cypher": cypher, "refused": True, "refusal": why}
    return said | {
        "cypher": page.passed.text,
        "parameters": queries.shown(page.passed.parameters),
        "columns": list(page.rows.columns),
        "rows": page.rows.rows,
        "truncated": page.rows.truncated,
    }
