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
    sockets = [path(each.socket_route, gate(each.socket.as_asgi(), each.events_route)) for each in streams]
    return URLRouter([*sockets, re_path(r"", no_such_socket)])  # type: ignore[arg-type]


async def no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Any other address: refused before the handshake, which a browser sees as 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


def with_streams(django: Application, gate: Gate, streams: Sequence[StreamRoutes]) -> Application:
    """Django, with the event streams in front."""
    routes = [
        path(each.events_route, _events(django, gate(each.events.as_asgi(), each.events_route))) for each in streams
    ]
    return URLRouter([*routes, re_path(r"", django)])  # type: ignore[arg-type]


def _events(django: Application, stream: Application) -> Application:
    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        as_page = b"format=json" in scope.get("query_string", b"")
        await (django if as_page or scope["method"] != "GET" else stream)(scope, receive, send)

    return events
