"""Phases that follow a script instead of thinking, for runs whose every step must be known beforehand.

``celery -A workers worker -I tests.run_script`` loads it into a worker. A prompt ``script {...}`` is then carried by
the real tasks, with the real row, lease and ledger, and only the four phase functions are these:

    {"steps": 6, "ms": 100}              six steps that wait 100 ms each
    "effects": true                      each step leaves a line in run_effects, when it begins and when it is done
    "nap": [2]                           step 2 waits without looking up
    "do": {"3": "kill"}                  step 3 kills its worker; spin, block, bug, fail, retry, forbid, exhaust, more,
                                         hang_up (PostgreSQL does, the first time), torn (spins in a scope that it
                                         will never leave)
    "say_ms": 0                          finalize says its answer in pieces, one each so many ms
    "fails": 2                           retry fails so often before it works

What a step gives depends on everything before it, so the answer tells whether all of it happened, once and in order.
Other prompts go to the real phases.
"""

import hashlib
import json
import os
import signal
import threading
import time
from typing import Any

import psycopg
from django.db import transaction

from apps.agents.phases.plan import Plan
from apps.agents.thinking.budgets import BudgetExhausted
from apps.agents.types import Final, Intent, Ports, RunView, StepResult, Todo
from kernel import engine_db, tenant_context
from kernel.errors import ForbiddenError, UnavailableError
from kernel.tenant_context import tenant_statement
from workers.runs import course

EFFECTS_SCHEMA = """
CREATE TABLE IF NOT EXISTS run_effects (
    run_id uuid NOT NULL, index int NOT NULL, attempt int NOT NULL, what text NOT NULL, token bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS run_effects_run ON run_effects (run_id);
GRANT SELECT, INSERT ON run_effects TO cineca_engine;
"""
LINE = "INSERT INTO run_effects (run_id, index, attempt, what, token) VALUES (%s, %s, %s, %s, %s)"
BLOCK_S = 60.0
TORN = threading.Event()  # a step is in a scope as one is that was interrupted between two bytecodes: it is never left
_real = (course.classify, course.plan_run, course.step, course.finalize)


def script_of(view: RunView) -> dict[str, Any] | None:
    """What the prompt says is to happen; None for a prompt of another kind."""
    word, _, rest = view.prompt.partition(" ")
    return dict(json.loads(rest)) if word == "script" else None


def prompt(**script: Any) -> str:
    """The prompt that asks for it."""
    return f"script {json.dumps(script)}"


def answer_of(steps: int) -> str:
    """What a run of so many steps answers, when nothing goes wrong."""
    outputs: list[str] = []
    for index in range(steps):
        outputs.append(_output(index, outputs))
    return _text(outputs)


def leave_effect(view: RunView, index: int, what: str, ports: Ports) -> None:
    """Write a line outside, trying again while PostgreSQL is away."""
    while True:
        try:
            with engine_db.connect("run effects", connect_timeout=2) as connection:
                connection.execute(LINE, [view.run_id, index, view.attempt, what, _token(ports)])
            return
        except psycopg.OperationalError:
            ports.checkpoint()
            time.sleep(0.1)


def classify(view: RunView, ports: Ports) -> Intent:
    if script_of(view) is None:
        return _real[0](view, ports)
    return Intent("CHAT", 1.0, "It follows a script.", "rules")


def plan_run(view: RunView, ports: Ports) -> Plan:
    script = script_of(view)
    if script is None:
        return _real[1](view, ports)
    return Plan(tuple(Todo(f"step {index}", "answer") for index in range(script.get("steps", 1))))


def step(view: RunView, index: int, ports: Ports) -> StepResult:
    script = script_of(view)
    if script is None:
        return _real[2](view, index, ports)
    ports.report("step", f"{index + 1} of {len(view.todos)}")
    if script.get("effects"):
        leave_effect(view, index, "begun", ports)
    pause_s = script.get("ms", 0) / 1000
    if index in script.get("nap", ()):
        time.sleep(pause_s)
    else:
        _wait(pause_s, ports)
    done = _do(script, view, index)
    if script.get("effects"):
        leave_effect(view, index, "done", ports)
    if done is not None:
        return done
    before = [record.output["text"] for record in view.steps if record.index < index and record.output]
    more = (Todo("one more", "answer"),) if script.get("do", {}).get(str(index)) == "more" else ()
    output = {"text": _output(index, before)}
    return StepResult("script", "completed", {"task": view.todos[index].task}, output, more=more)


def finalize(view: RunView, ports: Ports) -> Final:
    script = script_of(view)
    if script is None:
        return _real[3](view, ports)
    text = _text([record.output["text"] for record in view.steps if record.output])
    for start in range(0, len(text), 8) if "say_ms" in script else ():
        ports.say(text[start : start + 8])
        _wait(script["say_ms"] / 1000, ports)
    broken = [record for record in view.steps if record.status == "failed"]
    error = {"reason": "step_failed", "message": "A step has failed."} if broken else None
    return Final(text, ({"type": "text", "text": text},), succeeded=not broken, error=error)


def _do(script: dict[str, Any], view: RunView, index: int) -> StepResult | None:
    match script.get("do", {}).get(str(index)):
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "spin":
            while True:
                pass
        case "torn":
            tenant_context._current.set(view.tenant_id)
            transaction.atomic().__enter__()
            TORN.set()
            while True:
                pass
        case "block":
            time.sleep(BLOCK_S)
        case "bug":
            raise ZeroDivisionError("a bug in a phase")
        case "forbid":
            raise ForbiddenError("The submitter may not do this.")
        case "exhaust":
            raise BudgetExhausted("The run has spent what it may.", budget="usd", limit=0.1, spent=0.1)
        case "hang_up" if _tries(view, index) == 1:
            tenant_statement(view.tenant_id, "SELECT pg_terminate_backend(pg_backend_pid())", {})
        case "retry":
            if _tries(view, index) <= script.get("fails", 1):
                raise UnavailableError("Something is away for a moment.", retry_after_s=0.2)
        case "fail" if view.attempt == 1:
            return StepResult("script", "failed", None, None, {"code": "broke", "message": "It broke."})
    return None


def _token(ports: Ports) -> int:
    """Of the hold whose ports these are; 0 outside of a worker's engine."""
    return int(getattr(getattr(ports.report, "__self__", None), "token", 0))


def _tries(view: RunView, index: int) -> int:
    sql = "SELECT count(*) FROM run_effects WHERE run_id = %s AND index = %s AND what = 'begun'"
    with engine_db.connect("run effects") as connection:
        return int(connection.execute(sql, [view.run_id, index]).fetchone()[0])


def _wait(seconds: float, ports: Ports) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        ports.checkpoint()
        time.sleep(min(left, 0.05))


def _output(index: int, before: list[str]) -> str:
    return hashlib.sha256(f"{index} {' '.join(before)}".encode()).hexdigest()[:16]


def _text(outputs: list[str]) -> str:
    return " ".join(outputs)


course.classify, course.plan_run, course.step, course.finalize = classify, plan_run, step, finalize
