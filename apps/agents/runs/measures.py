"""What a run has cost so far, place by place, and in all: the ``metrics`` of its answer (contract 3.4). Pure.

{llm: [...], tools: [...], classify_ms, planning_ms, execution_ms, finalize_ms, overall_ms, total_llm_calls, ...}
"""

from collections.abc import Mapping
from typing import Any

from apps.agents.types import Spent
from apps.llm.types import NANO_USD

_TIMES = {"classify": "classify_ms", "plan": "planning_ms", "step": "execution_ms", "finalize": "finalize_ms"}


def added(metrics: Mapping[str, Any], *, phase: str, place: str, spent: Spent | None, took_ms: float) -> dict[str, Any]:
    """The metrics with what one phase or step took. ``spent`` None: it made no calls."""
    total: dict[str, Any] = dict(metrics)
    llm = [dict(call) | {"place": place} for call in (spent.llm if spent else ())]
    tools = [dict(call) | {"place": place} for call in (spent.tools if spent else ())]
    total["llm"] = [*metrics.get("llm", ()), *llm]
    total["tools"] = [*metrics.get("tools", ()), *tools]
    total[_TIMES[phase]] = round(metrics.get(_TIMES[phase], 0.0) + took_ms, 3)
    total["total_tokens"] = metrics.get("total_tokens", 0) + (spent.tokens if spent else 0)
    nano_usd = round(metrics.get("cost_usd", 0.0) * NANO_USD) + (spent.cost_nano_usd if spent else 0)
    total["cost_usd"] = nano_usd / NANO_USD
    return total


def summed(metrics: Mapping[str, Any], *, overall_ms: float) -> dict[str, Any]:
    """The metrics of an ended run, with the sums that clients of the predecessor read."""
    llm, tools = list(metrics.get("llm", ())), list(metrics.get("tools", ()))
    answered = [call for call in llm if call.get("success")]
    latencies = [float(call.get("latency_ms") or 0.0) for call in llm]
    return {
        **metrics,
        "llm": llm,
        "tools": tools,
        "overall_ms": round(overall_ms, 3),
        "total_llm_calls": len(llm),
        "llm_call_count": len(llm),
        "llm_attempted_calls": len(llm),
        "llm_successful_calls": len(answered),
        "llm_latency": round(sum(latencies), 3),
        "first_llm_call_ms": latencies[0] if latencies else None,
        "llm_error_type": next((call.get("error") for call in reversed(llm) if call.get("error")), None),
        "tool_calls": len(tools),
        "tool_errors": sum(1 for call in tools if not call.get("success")),
        "tools_executed": [call.get("name") for call in tools],
    }
