"""An open stream of server-sent events, held by a test for as long as it likes."""

import http.client
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.clients import PATIENCE_S, Api, SseEvent, parse_sse


class Stream:
    """GET /v1/{of}/{id}/events. ``headers`` as for Api.request; ``next`` and ``rest`` leave comments out."""

    def __init__(
        self,
        api: Api,
        log_id: object,
        query: str = "",
        *,
        of: str = "jobs",
        timeout_s: float = PATIENCE_S,
        after: int | None = None,
        **headers: str,
    ) -> None:
        sent = {"Accept": "text/event-stream"}
        if api.token:
            sent["Authorization"] = f"Bearer {api.token}"
        if after is not None:
            sent["Last-Event-ID"] = str(after)
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection = http.client.HTTPConnection(urlsplit(api.base_url).netloc, timeout=timeout_s)
        self.connection.request("GET", f"/v1/{of}/{log_id}/events{query}", headers=sent)
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.headers = {name.lower(): value for name, value in self.response.getheaders()}
        self._events: Iterator[SseEvent] = parse_sse(self.response)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self.response.close()
        self.connection.close()

    def next_of_any_kind(self) -> SseEvent | None:
        """The next event or comment; None when the server has closed the stream."""
        return next(self._events, None)

    def next(self) -> SseEvent:
        """The next event."""
        while (event := self.next_of_any_kind()) is not None:
            if event.type != "comment":
                return event
        raise AssertionError("the stream was closed")

    def take(self, count: int) -> list[SseEvent]:
        return [self.next() for _ in range(count)]

    def rest(self) -> list[SseEvent]:
        """All events until the server closes."""
        return [event for event in self._events if event.type != "comment"]


def ids(events: list[SseEvent]) -> list[int | None]:
    return [event.id for event in events]
