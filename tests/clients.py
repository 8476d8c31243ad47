"""How tests talk to a running platform: HTTP, server-sent events, and waiting with a limit."""

import contextlib
import json
import os
import random
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError

T = TypeVar("T")
PATIENCE_S = 90.0  # for what surely comes: only a test that fails waits so long, so it is more than any machine needs


def free_port() -> int:
    """A port nobody listens on; of a range of this process's own, as others look for one at the same time."""
    own = 20_000 + 4_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw2").removeprefix("gw"))
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", own + random.randrange(4_000)))
            return int(probe.getsockname()[1])


def wait_for(look: Callable[[], T], *, limit_s: float = PATIENCE_S, what: str, every_s: float = 0.02) -> T:
    """What ``look`` returns once it is true; AssertionError naming ``what`` after the limit."""
    deadline = time.monotonic() + limit_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {limit_s} s; last seen: {seen!r}")
        time.sleep(every_s)


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """A caller of the API: every request carries its token."""

    def __init__(self, base_url: str, token: str | None = None) -> None:
        self.base_url = base_url
        self.token = token

    def request(
        self, method: str, path: str, body: Any = None, timeout_s: float = PATIENCE_S, **headers: str
    ) -> Answer:
        """``headers``: ``Idempotency_Key="k"`` sends Idempotency-Key. ``body``: bytes as they are, else as JSON."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.base_url + path, data=data, method=method, headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as response:
                answer = response
                return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
        except HTTPError as error:
            with error:
                return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self.request("DELETE", path, **headers)

    def submit(self, type_name: str = "test", payload: dict[str, Any] | None = None, **headers: str) -> str:
        """Post a job and return its id."""
        answer = self.post("/v1/jobs", {"type": type_name, "payload": payload or {}}, **headers)
        assert answer.status in (200, 202), answer.body
        return str(answer.json["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        answer = self.get(f"/v1/jobs/{job_id}")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def wait_until(self, job_id: str, *statuses: str, limit_s: float = PATIENCE_S) -> dict[str, Any]:
        """The job once it has one of these statuses."""
        return wait_for(
            lambda: (job := self.job(job_id)) and job["status"] in statuses and job,
            limit_s=limit_s,
            what=f"job {job_id} becoming {' or '.join(statuses)}",
        )

    def events(self, job_id: str, after: int | None = None, timeout_s: float = PATIENCE_S) -> Iterator["SseEvent"]:
        """The job's stream, event by event, to its end."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = str(after)
        request = urllib.request.Request(f"{self.base_url}/v1/jobs/{job_id}/events", headers=headers)
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            yield from parse_sse(response)


@dataclass(frozen=True)
class SseEvent:
    """One event of a stream; comments come as type "comment"."""

    id: int | None
    type: str
    data: Any


def parse_sse(lines: Any) -> Iterator[SseEvent]:
    """Events of a text/event-stream, from an iterable of byte lines."""
    fields: dict[str, str] = {}
    for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line.startswith(":"):
            yield SseEvent(None, "comment", line[1:].strip())
        elif line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            event_id = int(fields["id"]) if "id" in fields else None
            yield SseEvent(event_id, fields.get("event", "message"), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}


def is_up(base_url: str) -> bool:
    """Whether the API answers its liveness probe."""
    try:
        return Api(base_url).get("/v1/health/live").status == 200
    except (URLError, OSError):
        return False
