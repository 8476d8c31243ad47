"""Routes of the streams. Everything else, and ?format=json, goes on to Django."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from channels.routing import URLRouter
from django.urls import path, re_path

from apps.jobs.consumers import JobEvents, JobSocket, LogEvents, LogSocket
from kernel.web.asgi import Application, Receive, Scope, Send

Gate = Callable[[Application, str], Application]  # (consumer, route whose rights hold) -> with the layers around it


@dataclass(frozen=True)
class StreamRoutes:
    """Where the logs of one kind are followed. The socket's rights and limits are those of the events."""

    events_route: str
    socket_route: str
    events: type[LogEvents]
    socket: type[LogSocket]


JOB_STREAMS = StreamRoutes("v1/jobs/<str:job_id>/events", "ws/jobs/<str:job_id>", JobEvents, JobSocket)


def websocket_routes(gate: Gate, streams: Sequence[StreamRoutes]) -> Application:
    """Every websocket."""
    sockets = {each.socket_route: gate(each.socket.as_asgi(), each.events_route) for each in streams}
    return _router(sockets, no_such_socket)


async def no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Any other address: refused before the handshake, which a browser sees as 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


def with_streams(django: Application, gate: Gate, streams: Sequence[StreamRoutes]) -> Application:
    """Django, with the event streams in front."""
    events = {each.events_route: gate(each.events.as_asgi(), each.events_route) for each in streams}
    return _router({route: _events(django, stream) for route, stream in events.items()}, django)


def _router(routes: dict[str, Application], rest: Application) -> Application:
    """Channels routes what Django's URL patterns were not typed for: ASGI applications."""
    patterns = [path(route, application) for route, application in routes.items()]  # type: ignore[arg-type]
    return URLRouter([*patterns, re_path(r"", rest)])  # type: ignore[arg-type]


def _events(django: Application, stream: Application) -> Application:
    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        as_page = b"format=json" in scope.get("query_string", b"")
        await (django if as_page or scope["method"] != "GET" else stream)(scope, receive, send)

    return events
