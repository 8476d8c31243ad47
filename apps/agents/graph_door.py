"""Questions of runs to the graph: the Answer of apps/graph/asking.py as JSON, never larger than a tape keeps."""

from dataclasses import asdict, replace
from importlib import import_module
from typing import Any

from pydantic_core import to_json

from apps.agents.tape import ANSWER_BYTES
from apps.graph import queries
from apps.graph.gate.verdict import GateRefusal
from apps.identity.principal import Principal

ROOM_BYTES = 8 * 1024  # for what the tape puts around it


def ask(principal: Principal, question: str, *, explain: bool, model: str | None) -> dict[str, Any]:
    """The answer, or the refusal, as a dict. With ``explain`` the query is written and its plan shown; nothing runs.

    PlatformError where the graph cannot be asked.
    """
    asking: Any = import_module("apps.graph.asking")
    if not explain:
        return _plain(asking.ask(principal, question, model=model))
    written = asking.write(principal, question, model=model)
    if written.refused or not written.cypher:
        return _plain(written)
    try:
        explained = queries.explain(principal, written.cypher, written.parameters)
    except GateRefusal as refusal:
        said = {"stage": "validate", "layer": refusal.layer, "reason": refusal.message, "hint": refusal.hint}
        return _plain(written) | {"refused": True, "refusal": said}
    return _plain(replace(written, plan=explained.plan.text, mode="explain"))


def bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with as many of its rows as a tape keeps; a note says that there were more."""
    kept = dict(answer)
    rows = list(kept.get("rows") or [])
    while rows and len(to_json(kept, inf_nan_mode="null")) > ANSWER_BYTES - ROOM_BYTES:
        rows = rows[: len(rows) // 2]
        note = f"The answer was too large to keep: only its first {len(rows)} rows are shown."
        kept |= {"rows": rows, "truncated": True, "notes": [*(answer.get("notes") or []), note]}
    return kept


def _plain(answer: Any) -> dict[str, Any]:
    said = asdict(answer)
    return said | {"parameters": queries.shown(said["parameters"])}
