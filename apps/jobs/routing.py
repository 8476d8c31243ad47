"""Routes of the streams. Everything else, and ?format=json, goes on to Django."""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.routing import URLRouter
from django.urls import path, re_path

from apps.jobs.consumers import JobEvents, JobSocket

Application = Callable[[Any, Any, Any], Awaitable[None]]
websocket_routes = [path("ws/jobs/<str:job_id>", JobSocket.as_asgi())]


def with_streams(django: Application) -> Application:
    """Django, with the event streams in front."""
    stream = JobEvents.as_asgi()

    async def events(scope: Any, receive: Any, send: Any) -> None:
        as_page = b"format=json" in scope.get("query_string", b"")
        await (django if as_page or scope["method"] != "GET" else stream)(scope, receive, send)

    routes = [path("v1/jobs/<str:job_id>/events", events), re_path(r"", django)]  # type: ignore[arg-type]
    return URLRouter(routes)
