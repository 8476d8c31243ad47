"""One test's hold on the platform for agent runs: callers that do not give up, and the question at the end."""

import json
import time
from itertools import pairwise
from typing import Any
from uuid import uuid4

from apps.agents.runs import dispatch
from tests import run_script
from tests.chaos import run_checker, verdict
from tests.chaos.checker import Event, Violation
from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.load import RETRY_S, Caller, Load
from tests.chaos.nodes import Node
from tests.chaos.run_checker import RunSnapshot
from tests.clients import PATIENCE_S, wait_for
from tests.factories import make_token

SHOWN = 12
STEPS = 6
RUNS = """SELECT r.id::text, r.status, r.last_seq, r.lease_until IS NOT NULL, k.key, r.output_json ->> 'text',
    r.crashes, r.error_json, r.prompt
    FROM agent_runs r LEFT JOIN idempotency_keys k ON k.resource_id = r.id WHERE r.tenant_id = %s"""
EVENTS = "SELECT run_id::text, seq_id, event_type, event_json FROM run_events WHERE tenant_id = %s ORDER BY 1, 2"
# When a step's record was committed: the clock's moment of its event, which was written by the same statement.
DONE = """SELECT s.run_id::text, s.index, s.attempt, e.created_at FROM steps s JOIN run_events e ON e.run_id = s.run_id
    AND e.event_type = 'step' AND (e.event_json ->> 'step_id')::uuid = s.id WHERE s.tenant_id = %s ORDER BY 1, 2, 3"""
EFFECTS = """SELECT run_id::text, index, attempt, what, token, at FROM run_effects
    WHERE run_id IN (SELECT id FROM agent_runs WHERE tenant_id = %s) ORDER BY at"""
BEGINNINGS = """SELECT run_id::text, at FROM run_effects WHERE what = 'begun'
    AND run_id IN (SELECT id FROM agent_runs WHERE tenant_id = %s) ORDER BY run_id, at"""
EFFECT = ("index", "attempt", "what", "token", "at")
FIELDS = ("status", "last_seq", "leased", "key", "text", "crashes", "error")


class RunCaller(Caller):
    """One user, who starts runs."""

    collection = "/v1/agent-runs"

    def start(self, *, limit_s: float = 60.0, **script: Any) -> str | None:
        """Post one run under one key until it is accepted; its id."""
        key, body = uuid4().hex, {"prompt": run_script.prompt(**script), "max_steps": 12}
        deadline_s = time.monotonic() + limit_s
        self.history.add("submit", "invoke", key=key)
        while time.monotonic() < deadline_s:
            status, _, content = self.ask("submit", "POST", self.collection, body, key=key)
            if status in (200, 201):
                run_id = str(json.loads(content)["id"])
                self.history.add("submit", "ok", key=key, job_id=run_id)
                return run_id
            assert not 400 <= status < 500 or status in (409, 429), (status, content)
            self.stop.wait(RETRY_S)
        return None


class RunLoad(Load):
    """Callers of runs."""

    def caller(self) -> RunCaller:
        return RunCaller(self.history, self._token, self._urls, self._patience)


class RunScenario:
    """Everything a test of runs needs; ``assert_sound`` ends it."""

    def __init__(self, platform: Platform, history: History) -> None:
        self.platform, self.history = platform, history
        self.tenant = platform.new_tenant()
        token = make_token(self.tenant, "user", "chaos", ttl_s=7200)  # type: ignore[arg-type]
        self.load = RunLoad(history, token, lambda: [platform.web.url])

    def start(self, count: int, *, follow_every: int = 0, **script: Any) -> list[str]:
        """``count`` runs of six steps that leave effects; a stream reader for every ``follow_every``-th."""
        caller, ids = self.load.caller(), []
        for number in range(count):
            run_id = caller.start(**{"steps": STEPS, "effects": True, **script})
            assert run_id is not None
            ids.append(run_id)
            if follow_every and number % follow_every == 0:
                self.load.follow(run_id)
        return ids

    def fault(self, name: str) -> float:
        """Note a fault; the wall clock's time of it."""
        self.history.add("fault", "ok", name=name)
        return time.time()

    def in_hand(self, node: Node) -> list[str]:
        """Runs that this worker process holds now."""
        sql = "SELECT id::text FROM agent_runs WHERE tenant_id = %s AND lease_until IS NOT NULL AND lease_owner LIKE %s"
        return [row[0] for row in self.platform.query(sql, [self.tenant.id, f"{node.name}@%:{node.pid}:%"])]

    def busy_worker(self) -> Node:
        """The worker with the most runs in hand, once there is one."""

        def busiest() -> Node | None:
            node = max(self.platform.workers, key=lambda node: len(self.in_hand(node)))
            return node if self.in_hand(node) else None

        return wait_for(busiest, what="a worker having runs in hand")

    def seconds_to_go_on(self, fault_at_s: float, among: list[str]) -> list[float]:
        """For each of these runs: from the fault to the beginning of the step that it interrupted, elsewhere."""
        began: dict[str, list[float]] = {}
        for run_id, at in self.platform.query(BEGINNINGS, [self.tenant.id]):
            began.setdefault(run_id, []).append(at.timestamp())
        return sorted(
            after - fault_at_s
            for run_id in among
            for before, after in pairwise(began.get(run_id, ()))
            if before <= fault_at_s < after
        )

    def have_ended(self, ids: list[str]) -> bool:
        sql = "SELECT 1 FROM agent_runs WHERE id = ANY(%s::uuid[]) AND status IN ('queued', 'running')"
        return not self.platform.query(sql, [ids])

    def open_runs(self) -> int:
        sql = "SELECT count(*) FROM agent_runs WHERE tenant_id = %s AND status IN ('queued', 'running')"
        return int(self.platform.query(sql, [self.tenant.id])[0][0])

    def queued_messages(self) -> int:
        with self.platform.redis_client() as redis:
            return int(redis.llen(dispatch.QUEUE))

    def snapshot(self) -> RunSnapshot:
        """What the database and the queue hold now."""
        query, tenant = self.platform.query, [self.tenant.id]
        after = RunSnapshot({}, {}, {}, {}, self.queued_messages(), query(verdict.IDLE)[0][0])
        for run_id, *columns, prompt in query(RUNS, tenant):
            steps = json.loads(prompt.partition(" ")[2])["steps"]
            wanted = {"wanted": run_script.answer_of(steps)}
            after.runs[run_id] = dict(zip(FIELDS, columns, strict=True)) | wanted
        for run_id, seq, kind, data in query(EVENTS, tenant):
            after.events.setdefault(run_id, []).append(Event(seq, kind, data))
        for run_id, *line in query(DONE, tenant):
            after.steps.setdefault(run_id, []).append(dict(zip(("index", "attempt", "told_at"), line, strict=True)))
        for run_id, *line in query(EFFECTS, tenant):
            after.effects.setdefault(run_id, []).append(dict(zip(EFFECT, line, strict=True)))
        return after

    def judge(self) -> list[Violation]:
        """Violations, without waiting first."""
        return run_checker.check(self.history.records, self.snapshot())

    def assert_sound(self, limit_s: float = 2 * PATIENCE_S) -> RunSnapshot:
        """Callers done, runs ended, the queue empty, no violation."""
        self.load.finish(limit_s)
        wait_for(
            lambda: not self.open_runs() and not self.queued_messages(), limit_s=limit_s, what="coming to rest",
            every_s=0.1,
        )  # fmt: skip
        after = self.snapshot()
        violations = run_checker.check(self.history.records, after)
        shown = "\n".join(str(violation)[:600] for violation in violations[:SHOWN])
        assert not violations, f"{len(violations)} violations in {len(after.runs)} runs:\n{shown}"
        return after

    def end(self) -> None:
        self.load.stop.set()
        for node in self.platform.nodes:
            node.thaw()
        self.platform.dismiss_extras()
        self.history.close()
