"""The types of events in the logs of runs; docs/reference/events.md shows them.

Who emits one makes its data by `EventType.data` (apps/jobs/event_types.py); what the database itself writes
(apps/agents/runs/ledger.py and its neighbours) is held against this table by a test.
"""

from apps.jobs.event_types import EventField, EventType, by_name

_RUN_ID = EventField("uuid", "The run.")
_WHEN = EventField("time", "ISO 8601, UTC, by the database's clock.")
_EXAMPLE_ID = "5e1c6a58-6c9c-4b53-9a55-0d5d3a6b7f10"

STATUS = EventType(
    "status",
    "The run moved from one state to another.",
    {
        "run_id": _RUN_ID,
        "from": EventField("text or null", "The state before; null at the first event."),
        "to": EventField("text", "The state now: queued, running, succeeded, failed, cancelled."),
        "status": EventField("text", "As `to`."),
        "attempt": EventField("number", "One higher with each resume."),
        "timestamp": _WHEN,
        "reason": EventField("text", "Why it is queued again, or ended without its worker.", always=False),
        "error": EventField("object", "{message, reason, ...} of what failed.", always=False),
    },
    {
        "run_id": _EXAMPLE_ID,
        "from": "queued",
        "to": "running",
        "status": "running",
        "attempt": 1,
        "timestamp": "2026-01-31T12:00:00.000000Z",
    },
)
PROGRESS = EventType(
    "progress",
    "Where the run is (SPEC 10). Stages: agent_run_started, orchestrator_init, classify, plan, step, finalize, and "
    "what phases report on their way.",
    {
        "stage": EventField("text", "A word for the part of the work."),
        "message": EventField("text", "A sentence for people."),
        "percent": EventField("number or null", "0 to 100; null where nobody can tell."),
    },
    {"stage": "plan", "message": "2 steps planned", "percent": 20.0},
)
INTENT = EventType(
    "intent",
    "Phase 1 is done: what the prompt wants.",
    {
        "category": EventField("text", "CHAT, GRAPH, SECURITY, ADMIN, DANGEROUS or EXPLAIN."),
        "confidence": EventField("number", "0 to 1."),
        "reason": EventField("text", "A sentence."),
        "source": EventField("text", "Who decided: catalogue, rules or model."),
        "missing": EventField("text", "The permission that the wish needs and the caller lacks.", always=False),
    },
    {"category": "GRAPH", "confidence": 0.93, "reason": "It asks how many files there are.", "source": "rules"},
)
PLAN = EventType(
    "plan",
    "Phase 2 is done, or a step changed the plan: what will be done, in order.",
    {"todos": EventField("list", "Each {task, kind, status, tool, arguments, evidence, tainted}.")},
    {"todos": [{"task": "Count the files", "kind": "graph", "status": "pending"}]},
)
STEP = EventType(
    "step",
    "A step has ended, and its record is kept: nothing repeats it.",
    {
        "index": EventField("number", "Its place, from 0."),
        "step_id": EventField("uuid", "Its record, GET /v1/agent-runs/{id}/steps."),
        "action": EventField("text", "What was done."),
        "status": EventField("text", "completed or failed."),
        "latency_ms": EventField("number", "How long it took."),
        "reused": EventField("yes or no", "Whether an earlier attempt had done it."),
        "error": EventField("object", "{message, reason, ...} of a failed step.", always=False),
    },
    {
        "index": 0,
        "step_id": "c2c9c1de-3d47-4a55-8f3e-2d1d7e0f7a11",
        "action": "graph.ask",
        "status": "completed",
        "latency_ms": 41.7,
        "reused": False,
    },
)
APPROVAL = EventType(
    "approval",
    "The run stops, failed with reason `approval_required`: a person has to approve this very call first. Once that is "
    "done, a resume makes it.",
    {
        "run_id": _RUN_ID,
        "approval_id": EventField("uuid", "The approval's record, with the arguments as the tool would get them."),
        "tool": EventField("text", "What would be called."),
        "arguments_sha256": EventField("text", "SHA-256 of the canonical arguments, in hex; a decision names it."),
        "approve_at": EventField("text", "The path where to look and decide."),
    },
    {
        "run_id": _EXAMPLE_ID,
        "approval_id": "8a3c0f2e-7d1b-4c58-9f60-3b6a2f1d4e77",
        "tool": "crud.update_node",
        "arguments_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "approve_at": "/v1/tools/approvals/8a3c0f2e-7d1b-4c58-9f60-3b6a2f1d4e77",
    },
)
DELTA = EventType(
    "delta",
    "A piece of the answer as it comes, without personal data. At most ten a second. The answer that counts is the "
    "run's `outputs`: after a worker was lost the text may begin anew, which a delta with `restart` says.",
    {
        "text": EventField("text", "What follows the pieces before."),
        "restart": EventField("yes or no", "True: forget the pieces before.", always=False),
    },
    {"text": "There are 12 files"},
)
ATTEMPT_END = EventType(
    "attempt_end",
    "Was the `end` of an attempt, before somebody resumed the run.",
    {
        "run_id": _RUN_ID,
        "final": EventField("text", "failed or cancelled."),
        "completed_at": _WHEN,
    },
    {"run_id": _EXAMPLE_ID, "final": "failed", "completed_at": "2026-01-31T12:00:04.000000Z"},
)
END = EventType(
    "end",
    "The last event. The stream closes after it; a resume makes it an `attempt_end` and goes on.",
    {
        "run_id": _RUN_ID,
        "final": EventField("text", "succeeded, failed or cancelled."),
        "completed_at": _WHEN,
    },
    {"run_id": _EXAMPLE_ID, "final": "succeeded", "completed_at": "2026-01-31T12:00:06.000000Z"},
)
RUN_EVENTS = by_name(STATUS, PROGRESS, INTENT, PLAN, STEP, APPROVAL, DELTA, ATTEMPT_END, END)
