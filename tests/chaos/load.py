"""Callers that do not give up: submitters, cancellers and stream readers, each writing to the history what it saw."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.chaos.history import History
from tests.clients import parse_sse

NETWORK_ERRORS = (OSError, http.client.HTTPException)
RETRY_S = 0.1
REQUEST_LIMIT_S = 30.0
STREAM_SILENCE_LIMIT_S = 20.0  # above the heartbeat's 15


class Caller:
    """One user. ``urls()`` names the web servers that may be asked; each try asks another."""

    collection = "/v1/jobs"  # whose streams are followed

    def __init__(self, history: History, token: str, urls: Callable[[], list[str]], stop: threading.Event) -> None:
        self.history, self.token, self.urls, self.stop = history, token, urls, stop
        self._turn = random.randrange(1000)

    def _connect(self, limit_s: float) -> http.client.HTTPConnection:
        urls = self.urls()
        self._turn += 1
        return http.client.HTTPConnection(urlsplit(urls[self._turn % len(urls)]).netloc, timeout=limit_s)

    def ask(
        self, kind: str, method: str, path: str, body: Any = None, **facts: Any
    ) -> tuple[int, dict[str, str], bytes]:
        """One try. (0, {}, b"") when no answer came. Every answer goes into the history."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": facts["key"]} if "key" in facts else {}
        connection = self._connect(REQUEST_LIMIT_S)
        began_s = time.monotonic()
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            status, content = response.status, response.read()
            answered = {name.lower(): value for name, value in response.headers.items()}
        except NETWORK_ERRORS as error:
            self.history.add(kind, "info", error=type(error).__name__, **facts)
            return 0, {}, b""
        finally:
            connection.close()
        took_s = round(time.monotonic() - began_s, 4)
        seen = {"status": status, "took_s": took_s, "retry_after": answered.get("retry-after")}
        self.history.add("answer", "ok", of=kind, **seen, **facts)
        return status, answered, content

    def submit(
        self, type_name: str = "test", payload: dict[str, Any] | None = None, limit_s: float = 60.0, key: str = ""
    ) -> str | None:
        """Post one job under one key until it is accepted; its id, None when the limit or the stop came first."""
        key, body = key or uuid4().hex, {"type": type_name, "payload": payload or {}}
        deadline_s = time.monotonic() + limit_s
        self.history.add("submit", "invoke", key=key)
        while True:
            status, _, content = self.ask("submit", "POST", "/v1/jobs", body, key=key)
            if status in (200, 202):
                job_id = str(json.loads(content)["id"])
                self.history.add("submit", "ok", key=key, job_id=job_id, body=content.decode())
                return job_id
            if 400 <= status < 500 and status not in (409, 429):
                self.history.add("submit", "fail", key=key, status=status)
                return None
            if time.monotonic() > deadline_s:
                self.history.add("submit", "info", key=key, error="gave up")
                return None
            self.stop.wait(RETRY_S)

    def cancel(self, job_id: str, limit_s: float = 30.0) -> str | None:
        """Ask until there is an answer: the status it names."""
        deadline_s = time.monotonic() + limit_s
        self.history.add("cancel", "invoke", job_id=job_id)
        while time.monotonic() < deadline_s:
            status, _, content = self.ask("cancel", "DELETE", f"/v1/jobs/{job_id}", job_id=job_id)
            if status in (200, 202):
                named = str(json.loads(content)["status"])
                self.history.add("cancel", "ok", job_id=job_id, answer=status, job_status=named)
                return named
            self.stop.wait(RETRY_S)
        return None

    def read(self, job_id: str) -> int:
        return self.ask("read", "GET", f"/v1/jobs/{job_id}", job_id=job_id)[0]

    def follow(self, job_id: str, limit_s: float = 90.0, drop_after: int | None = None) -> list[int]:
        """Read the stream to its end through any number of restarts; ``drop_after``: hang up after so many events."""
        seen: list[tuple[int, str, Any]] = []
        deadline_s = time.monotonic() + limit_s
        reader = uuid4().hex[:8]
        while time.monotonic() < deadline_s and not (seen and seen[-1][1] == "end"):
            fresh = self._follow_once(job_id, reader, seen, drop_after)
            if not fresh:
                self.stop.wait(RETRY_S)
        done = "ok" if seen and seen[-1][1] == "end" else "info"
        self.history.add("stream", done, job_id=job_id, reader=reader, events=[list(event) for event in seen])
        return [event[0] for event in seen]

    def _follow_once(self, job_id: str, reader: str, seen: list[tuple[int, str, Any]], drop_after: int | None) -> bool:
        """One connection; whether it brought anything."""
        connection = self._connect(STREAM_SILENCE_LIMIT_S)
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        headers |= {"Last-Event-ID": str(seen[-1][0])} if seen else {}
        before = len(seen)
        try:
            connection.request("GET", f"{self.collection}/{job_id}/events", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                again = response.headers.get("Retry-After")
                self.history.add("answer", "ok", of="stream", status=response.status, retry_after=again, job_id=job_id)
                return False
            self.history.add("stream", "opened", job_id=job_id, reader=reader, after=before)
            for event in parse_sse(response):
                if event.type == "reset":
                    self.history.add("stream", "reset", job_id=job_id, reader=reader, data=event.data)
                elif event.id is not None:
                    seen.append((event.id, event.type, event.data))
                if event.type == "end" or (drop_after and len(seen) - before >= drop_after):
                    break
        except NETWORK_ERRORS as error:
            self.history.add("stream", "dropped", job_id=job_id, reader=reader, error=type(error).__name__)
        finally:
            connection.close()
        return len(seen) > before


class Load:
    """Threads that submit, and follow or cancel part of what they submitted, until they are told to stop."""

    def __init__(self, history: History, token: str, urls: Callable[[], list[str]]) -> None:
        self.history, self._token, self._urls = history, token, urls
        self.stop = threading.Event()
        self._patience = threading.Event()  # readers go on after the stop
        self._threads: list[threading.Thread] = []
        self._readers: list[threading.Thread] = []

    def caller(self) -> Caller:
        return Caller(self.history, self._token, self._urls, self._patience)

    def submitters(
        self,
        count: int,
        *,
        per_s: float,
        job: Callable[[], tuple[str, dict[str, Any]]],
        follow_share: float = 0.1,
        cancel_share: float = 0.0,
    ) -> None:
        """``count`` threads, together about ``per_s`` jobs a second."""
        for _ in range(count):
            self._spawn(self._threads, self._submit_on, count / per_s, job, follow_share, cancel_share)

    def follow(self, job_id: str, **options: Any) -> None:
        """A reader of its own."""
        self._spawn(self._readers, lambda: self.caller().follow(job_id, **options))

    def _spawn(self, threads: list[threading.Thread], target: Callable[..., Any], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        threads.append(thread)
        thread.start()

    def _submit_on(self, pause_s: float, job: Any, follow_share: float, cancel_share: float) -> None:
        caller = self.caller()
        while not self.stop.wait(random.uniform(0, 2 * pause_s)):
            type_name, payload = job()
            job_id = caller.submit(type_name, payload)
            if job_id is None:
                continue
            if random.random() < follow_share:
                self.follow(job_id, drop_after=random.choice((None, 1, 2, 3)))
            if random.random() < cancel_share:
                self.stop.wait(random.uniform(0, 0.3))
                caller.cancel(job_id)

    def finish(self, limit_s: float = 60.0) -> None:
        """No more submits; wait for the callers and the readers."""
        self.stop.set()
        deadline_s = time.monotonic() + limit_s
        for threads in (self._threads, self._readers):  # submitters start readers, so they come first
            for thread in threads:
                thread.join(max(0.0, deadline_s - time.monotonic()))
                assert not thread.is_alive(), "callers are still waiting"
