"""`make tour`: a job, one answer of a language model, one of the graph, a call of a tool and a run of an agent from a
running platform, shown as they come and checked."""

import http.client
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devkit.datadir import DevkitError
from devkit.environment import ROOT, child_environment, read_env_file

QUESTION = {"prompt": "What is 6 * 7, and who are you?"}
JOB = {"type": "demo", "payload": {"duration_ms": 3000}}
RUN = {"prompt": "How many users are there, and what is 6 * 7?"}
GRAPH_QUESTION = {"question": "Which users run the most tasks?", "limit": 5}
TOOL = "graph.query"
TOOL_ARGUMENTS = {
    "cypher": "MATCH (t:Task) RETURN t.status AS status, count(t) AS tasks ORDER BY tasks DESC",
    "limit": 5,
}
SHOWN_ROWS = 5
STREAM_SILENCE_LIMIT_S = 40.0  # a heartbeat comes every 15 s
ANSWER_LIMIT_S = 10.0


class TourError(DevkitError):
    """The platform did not do what it promises."""


@dataclass(frozen=True)
class Event:
    """One server-sent event. `id` is empty for an event outside the job's sequence."""

    id: str
    kind: str
    data: dict[str, Any]


def run(data_dir: Path) -> int:
    try:
        variables = read_env_file(data_dir)
        tour = Tour(variables["AGENTIC_API_URL"], fetch_token(variables))
        tour.walk()
        tour.ask()
        tour.ask_graph()
        tour.call_tool()
        tour.run_agent()
    except (DevkitError, OSError, http.client.HTTPException) as error:
        print(f"The tour failed: {error}", flush=True)
        return 1
    return 0


def fetch_token(variables: dict[str, str]) -> str:
    command = [sys.executable, "manage.py", "token", "--role", "user", "--tenant", "demo"]
    done = subprocess.run(
        command, cwd=ROOT, env=child_environment(variables), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise TourError(f"`python manage.py token` failed: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip()


class Tour:
    """Posts a job, follows its events, compares the end with what GET says."""

    def __init__(self, api_url: str, token: str) -> None:
        self.address = urlsplit(api_url).netloc
        self.headers = {"Authorization": f"Bearer {token}"}
        self.began_s = time.monotonic()

    def walk(self) -> None:
        self.say(f"POST /v1/jobs {json.dumps(JOB)}")
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"tour-{uuid.uuid4()}"}
        job = self.call("POST", "/v1/jobs", 202, json.dumps(JOB), headers)
        self.say(f"202 accepted: job {job['id']} is {job['status']}")
        events = []
        for event in self.stream(f"/v1/jobs/{job['id']}/events"):
            self.say(f"{event.id:>4}  {event.kind:<9} {describe(event.data)}")
            events.append(event)
        check(events)
        job = self.call("GET", f"/v1/jobs/{job['id']}", 200)
        if job["status"] != "finished":
            raise TourError(f"GET /v1/jobs/{job['id']} says {job['status']}, its events said finished.")
        waited_ms, ran_ms = job.get("queue_latency_ms"), job.get("exec_latency_ms")
        if waited_ms is None or ran_ms is None:
            raise TourError(f"GET /v1/jobs/{job['id']} gives no latencies: {json.dumps(job)[:500]}")
        self.say(f"finished: waited {waited_ms} ms in the queue, ran {ran_ms} ms")

    def ask(self) -> None:
        """One completion of the default model."""
        default = self.call("GET", "/v1/models/defaults", 200)["chat"]
        path = f"/v1/models/instances/{default['instance_id']}/tests"
        self.say(f"POST {path} {json.dumps(QUESTION)}")
        headers = {"Content-Type": "application/json"}
        answer = self.call("POST", path, 200, json.dumps(QUESTION), headers)
        if not answer["text"].strip() or answer["usage"]["total_tokens"] <= 0:
            raise TourError(f"the model gave no answer: {json.dumps(answer)[:500]}")
        for line in answer["text"].splitlines():
            self.say(f"      {line}")
        usage, cost = answer["usage"], answer["cost"]
        self.say(
            f"answered by {answer['provider']} ({answer['model_id']}): {usage['input_tokens']} tokens in, "
            f"{usage['output_tokens']} out, {cost['usd']:.6f} USD ({cost['priced_by']}), {answer['latency_ms']} ms"
        )

    def ask_graph(self) -> None:
        """One question to the graph, with the query and the rows that its answer stands on."""
        self.say(f"POST /v1/graph/ask {json.dumps(GRAPH_QUESTION)}")
        headers = {"Content-Type": "application/json"}
        answer = self.call("POST", "/v1/graph/ask", 200, json.dumps(GRAPH_QUESTION), headers)
        if answer["refused"] or not answer["rows"] or not answer["sentence"]:
            raise TourError(f"the graph gave no answer: {json.dumps(answer)[:500]}")
        self.say(f"understood by the {answer['source']} as: {answer['reading']}")
        self.say(f"Cypher: {answer['cypher']}  {json.dumps(answer['parameters'])}")
        for row in answer["rows"][:SHOWN_ROWS]:
            self.say(
                "      " + "  ".join(f"{name}={value}" for name, value in zip(answer["columns"], row, strict=True))
            )
        self.say(f"answer: {answer['sentence']}")

    def call_tool(self) -> None:
        """The tools that this caller may call, and one call of one, which its key makes safe to repeat."""
        tools = self.call("GET", "/v1/tools?limit=50", 200)
        self.say(
            f"GET /v1/tools: {tools['total']} tools, in {len({tool['category'] for tool in tools['items']})} categories"
        )
        path, body = f"/v1/tools/{TOOL}/invocations", json.dumps({"args": TOOL_ARGUMENTS})
        self.say(f"POST {path} {body}")
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"tour-{uuid.uuid4()}"}
        made = self.call("POST", path, 201, body, headers)
        if not made["ok"] or not made["result"]["rows"]:
            raise TourError(f"the tool gave nothing: {json.dumps(made)[:500]}")
        for row in made["result"]["rows"]:
            columns = made["result"]["columns"]
            self.say("      " + "  ".join(f"{name}={value}" for name, value in zip(columns, row, strict=True)))
        if self.call("POST", path, 200, body, headers)["id"] != made["id"]:
            raise TourError("the same key made the call twice.")
        self.say(
            f"{made['status']} in {made['duration_ms']} ms: invocation {made['id']}, which the same key gives again"
        )

    def run_agent(self) -> None:
        """One run of the default agent: its phases and steps as lines, its answer piece by piece."""
        self.say(f"POST /v1/agent-runs {json.dumps(RUN)}")
        headers = {"Content-Type": "application/json", "Idempotency-Key": f"tour-{uuid.uuid4()}"}
        run = self.call("POST", "/v1/agent-runs", 201, json.dumps(RUN), headers)
        self.say(f"201 created: run {run['id']} is {run['status']}")
        path = f"/v1/agent-runs/{run['id']}"
        events: list[Event] = []
        for event in self.stream(f"{path}/events"):
            self.show(event, after=events[-1].kind if events else "")
            events.append(event)
        check(events, "succeeded")
        run = self.call("GET", path, 200)
        compare(events, run)
        spent = run["metrics"]
        self.say(
            f"succeeded: {len(run['steps'])} steps, {run['total_llm_calls']} calls of a model, "
            f"{spent.get('total_tokens', 0)} tokens, {spent.get('cost_usd', 0):.6f} USD, {run['latency_ms']} ms"
        )

    def show(self, event: Event, *, after: str) -> None:
        """An event of a run; the answer's pieces join each other."""
        if event.kind == "delta":
            text = str(event.data["text"])
            print("        " * (after != "delta") + text.replace("\n", "\n        "), end="", flush=True)
            return
        if after == "delta":
            print(flush=True)
        self.say(f"{event.id:>4}  {event.kind:<9} {describe(event.data)}")

    def call(
        self,
        method: str,
        path: str,
        expected: int,
        body: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON answer; raises TourError when the status is not the expected one."""
        connection = http.client.HTTPConnection(self.address, timeout=ANSWER_LIMIT_S)
        connection.request(method, path, body=body, headers={**self.headers, **(headers or {})})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        if answer.status != expected:
            raise TourError(f"{method} {path} answered {answer.status}, not {expected}: {text[:500]}")
        return parse(text)

    def stream(self, path: str) -> Iterator[Event]:
        """The events of a stream as they arrive, until the server closes it."""
        connection = http.client.HTTPConnection(self.address, timeout=STREAM_SILENCE_LIMIT_S)
        connection.request("GET", path, headers={**self.headers, "Accept": "text/event-stream"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise TourError(f"GET {path} answered {answer.status}: {answer.read().decode()[:500]}")
        fields: dict[str, str] = {}
        for raw in answer:
            line = raw.decode().rstrip("\r\n")
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "data" in fields:
                yield Event(fields.get("id", ""), fields.get("event", "message"), parse(fields["data"]))
                fields = {}
        connection.close()

    def say(self, text: str) -> None:
        print(f"  tour {time.monotonic() - self.began_s:5.2f} s  {text}", flush=True)


def check(events: list[Event], wanted: str = "finished") -> None:
    """Raises TourError unless the stream was whole: no gap, and an end that says what is wanted."""
    if not events or events[-1].kind != "end":
        raise TourError(f"the stream did not end with `event: end` but with {events[-1:] or 'nothing'}.")
    sequence = [int(event.id) for event in events if event.id]
    if sequence != list(range(1, len(sequence) + 1)):
        raise TourError(f"the events have a gap or are out of order: {sequence}.")
    final = events[-1].data.get("final", events[-1].data.get("status"))
    if final != wanted:
        raise TourError(f"the end says {final}, not {wanted}: {json.dumps([event.data for event in events[-2:]])}")


def compare(events: list[Event], run: dict[str, Any]) -> None:
    """Raises TourError unless what a run's stream told is what GET shows."""
    said = ""
    for event in events:
        if event.kind == "delta":
            said = str(event.data["text"]) if event.data.get("restart") else said + str(event.data["text"])
    if not said.strip() or said.strip() not in run["text"]:
        raise TourError(f"the answer was streamed as {said[:300]!r} and is {run['text'][:300]!r}.")
    told = [event.data["step_id"] for event in events if event.kind == "step"]
    if not told or told != [step["id"] for step in run["steps"]]:
        raise TourError(f"the stream told of the steps {told}, GET shows {[step['id'] for step in run['steps']]}.")


def parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise TourError(f"this is not JSON: {text[:500]}") from error
    if not isinstance(value, dict):
        raise TourError(f"this is not a JSON object: {text[:500]}")
    return value


def describe(data: dict[str, Any]) -> str:
    """An event's data on one line, the names that carry no news left out."""
    news = {name: value for name, value in data.items() if name not in ("job_id", "run_id", "step_id", "timestamp")}
    if "todos" in news:
        news["todos"] = [todo["task"] for todo in news["todos"]]
    return "  ".join(f"{name}={value}" for name, value in news.items())[:120]
