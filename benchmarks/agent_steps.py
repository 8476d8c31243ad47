"""What a durable step of an agent run costs, and how soon a run begins.

Six steps that do nothing: as our Celery tasks, each claimed, committed and told, one after the other in a worker's
thread, as an idle platform does them (workers/runs/onward.py); by our engine alone, without Celery; as a LangGraph
graph whose PostgreSQL checkpointer writes after every step; and as a plain function. All use the same PostgreSQL in
the same minute; rounds are interleaved. Then: from POST to the first event and to the first task, and 50 runs at once
whose model takes a second.
"""

import http.client
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, TypedDict

import psycopg
import report
import servers
from setting import Setting, wait_for

STEPS = 6
ALIVE = "SELECT count(*) FROM worker_heartbeats"
# The steps alone: from the plan's commit to the last step's.
STEP_TIMES = """SELECT extract(epoch FROM max(created_at) FILTER (WHERE event_type = 'step')
    - max(created_at) FILTER (WHERE event_type = 'plan'))::float8 FROM run_events WHERE run_id = %s"""
BEGUN = """SELECT extract(epoch FROM created_at)::float8 FROM run_events WHERE run_id = %s AND seq_id = 2"""
OPEN = "SELECT count(*) FROM agent_runs WHERE status IN ('queued', 'running')"
MANY, MODEL_MS, MANY_TARGET_S = 50, 1000, 3.0


class State(TypedDict):
    """What LangGraph carries from step to step."""

    outputs: list[str]


def stub(outputs: list[str], index: int) -> str:
    """The step that everybody does."""
    return f"{index}: {len(outputs)}"


def plain() -> list[str]:
    outputs: list[str] = []
    for index in range(STEPS):
        outputs.append(stub(outputs, index))
    return outputs


def langgraph_of(admin_url: str) -> tuple[Callable[[str], object], psycopg.Connection[Any]]:
    """A graph of six nodes in a row; each superstep is in PostgreSQL before the next begins (durability sync)."""
    from langgraph.checkpoint.postgres import PostgresSaver
    from langgraph.graph import END, START, StateGraph

    connection = psycopg.connect(admin_url, autocommit=True, prepare_threshold=0, row_factory=psycopg.rows.dict_row)
    saver = PostgresSaver(connection)  # type: ignore[arg-type]
    saver.setup()

    def node(index: int) -> Callable[[State], State]:
        return lambda state: {"outputs": [*state["outputs"], stub(state["outputs"], index)]}

    graph = StateGraph(State)
    for index in range(STEPS):
        graph.add_node(f"step {index}", node(index))
        graph.add_edge(START if index == 0 else f"step {index - 1}", f"step {index}")
    graph.add_edge(f"step {STEPS - 1}", END)
    compiled = graph.compile(checkpointer=saver)

    def invoke(thread: str) -> object:
        return compiled.invoke({"outputs": []}, {"configurable": {"thread_id": thread}}, durability="sync")

    return invoke, connection


class Ours:
    """Runs through the workers, and through the engine in this process."""

    def __init__(self, setting: Setting, looking: psycopg.Connection[Any]) -> None:
        from tests.factories import make_principal

        self.looking, self.caller = looking, make_principal(setting.tenant())

    def create(self, **script: Any) -> Any:
        from apps.agents.runs import services as run_services
        from tests import run_script

        return run_services.create_run(self.caller, fields={"prompt": run_script.prompt(**script)})[0]

    def through_workers(self) -> float:
        """Seconds a step."""
        run = self.create(steps=STEPS)
        self.wait_for_all()
        return float(self.looking.execute(STEP_TIMES, [run.id]).fetchone()[0]) / STEPS  # type: ignore[index]

    def by_engine(self) -> float:
        from unittest import mock

        from apps.agents.runs import dispatch
        from workers.runs.core import Done, RunEngine
        from workers.runs.course import perform

        engine = RunEngine(name="bench")
        with mock.patch.object(dispatch, "send", return_value=True):
            runs = [self.create(steps=STEPS) for _ in range(2)]  # the first warms the connection
        took_s = 0.0
        for run in runs:
            done, began = Done(True, "classify", 0), 0.0
            while done.goes_on:
                if done.phase == "step" and done.index == 0:
                    began = time.perf_counter()
                done = perform(engine, run.id, done.phase, done.index, may_keep=engine.has_room)
                if done.phase == "finalize":
                    took_s = (time.perf_counter() - began) / STEPS
        engine.connections.close()
        return took_s

    def many(self, count: int, model_ms: int) -> float:
        """Seconds from the first run's acceptance to the last one's end."""
        began = time.perf_counter()
        for _ in range(count):
            self.create(steps=1, ms=model_ms)
        self.wait_for_all()
        return time.perf_counter() - began

    def wait_for_all(self) -> None:
        wait_for(
            lambda: self.looking.execute(OPEN).fetchone() == (0,), limit_s=120, what="all runs ending", every_s=0.005
        )


def measure_steps(ours: Ours, invoke: Callable[[str], object], rounds: int) -> None:
    took: dict[str, list[float]] = {"tasks": [], "engine": [], "langgraph": [], "plain": []}
    for number in range(rounds + 2):
        began = time.perf_counter()
        invoke(f"thread-{number}")
        langgraph_s = (time.perf_counter() - began) / STEPS
        began = time.perf_counter()
        plain()
        round_s = {
            "plain": (time.perf_counter() - began) / STEPS,
            "langgraph": langgraph_s,
            "tasks": ours.through_workers(),
            "engine": ours.by_engine(),
        }
        if number >= 2:  # warm
            for name, value in round_s.items():
                took[name].append(1000 * value)
    names = {
        "tasks": "ours: Celery tasks, two workers",
        "engine": "ours: the engine alone, no broker",
        "langgraph": "LangGraph, PostgresSaver, durability sync",
        "plain": "a plain function",
    }
    rows = [(names[name], len(values), report.spread(values, 3)) for name, values in took.items()]
    report.table("One step, milliseconds", ("how", "rounds", "ms a step"), rows)
    share = report.ratio(took["tasks"], took["langgraph"])
    print("tasks / LangGraph:", report.verdict(share, 1.0, at_most=True))
    print(f"engine / LangGraph: {report.ratio(took['engine'], took['langgraph']):.2f}")


def measure_beginnings(setting: Setting, ours: Ours, port: int, count: int) -> None:
    """From POST to what a client sees first, and to the first task's claim."""
    from tests import run_script
    from tests.factories import make_token

    tenant = setting.tenant()
    headers = {"Authorization": f"Bearer {make_token(tenant, ttl_s=3600)}", "Content-Type": "application/json"}
    took: dict[str, list[float]] = {"POST answered": [], "first event at the client": [], "first task claimed": []}
    for number in range(count + 5):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        body = json.dumps({"prompt": run_script.prompt(steps=1)})
        began_s = time.time()
        connection.request("POST", "/v1/agent-runs", body, headers)
        answer = connection.getresponse()
        accepted = json.loads(answer.read())
        answered_s = time.time()
        if answer.status != 201:
            raise RuntimeError(f"{answer.status}: {accepted}")
        path = f"/v1/agent-runs/{accepted['id']}/events"
        connection.request("GET", path, headers={**headers, "Accept": "text/event-stream"})
        stream = connection.getresponse()
        while not stream.readline().startswith(b"data:"):
            pass
        first_s = time.time()
        connection.close()
        ours.wait_for_all()
        claimed_s = float(ours.looking.execute(BEGUN, [accepted["id"]]).fetchone()[0])  # type: ignore[index]
        if number >= 5:
            for name, at_s in zip(took, (answered_s, first_s, claimed_s), strict=True):
                took[name].append(1000 * (at_s - began_s))
    rows = [
        (name, f"{report.percentile(values, 0.5):.1f}", f"{report.percentile(values, 0.99):.1f}")
        for name, values in took.items()
    ]
    report.table(f"From POST, milliseconds ({count} runs)", ("until", "p50", "p99"), rows)


def measure_many(ours: Ours, rounds: int) -> None:
    ours.many(4, 10)
    alone = statistics.median(ours.many(1, MODEL_MS) for _ in range(3))
    together = [ours.many(MANY, MODEL_MS) for _ in range(rounds)]
    rows = [("1 run", f"{alone:.2f}"), (f"{MANY} runs at once", report.spread(together, 2))]
    report.table(f"Runs whose model takes {MODEL_MS / 1000:g} s, two workers, seconds", ("", "s"), rows)
    more_s = statistics.median(together) - alone
    print(f"more than one alone, s: {report.verdict(more_s, MANY_TARGET_S, at_most=True)}")


def main() -> None:
    options = report.arguments(__doc__, rounds=20, posts=100, many_rounds=3)
    with Setting() as setting, psycopg.connect(setting.admin_url, autocommit=True) as looking:
        from tests import run_script

        looking.execute(run_script.EFFECTS_SCHEMA)
        setting.workers(2, "-I", "tests.run_script")
        port = servers.uvicorn(setting).port
        wait_for(lambda: looking.execute(ALIVE).fetchone() == (2,), limit_s=60, what="both workers")
        ours = Ours(setting, looking)
        invoke, connection = langgraph_of(setting.admin_url)
        ours.many(4, 10)
        measure_steps(ours, invoke, options.rounds)
        connection.close()
        measure_beginnings(setting, ours, port, options.posts)
        measure_many(ours, options.many_rounds)


if __name__ == "__main__":
    main()
