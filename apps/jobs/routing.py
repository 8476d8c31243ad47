"""Routes of the streams. Everything else, and ?format=json, goes on to Django."""

from collections.abc import Callable

from channels.routing import URLRouter
from django.urls import path, re_path

from apps.jobs.consumers import JobEvents, JobSocket
from kernel.web.asgi import Application, Receive, Scope, Send

EVENTS_ROUTE, SOCKET_ROUTE = "v1/jobs/<str:job_id>/events", "ws/jobs/<str:job_id>"
Gate = Callable[[Application, str], Application]  # (consumer, route whose rights hold) -> with the layers around it


def websocket_routes(gate: Gate) -> Application:
    """Every websocket. Its rights and limits are those of the same events as a stream."""
    sockets = gate(JobSocket.as_asgi(), EVENTS_ROUTE)
    return URLRouter([path(SOCKET_ROUTE, sockets), re_path(r"", no_such_socket)])  # type: ignore[arg-type]


async def no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Any other address: refused before the handshake, which a browser sees as 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4404})


def with_streams(django: Application, gate: Gate) -> Application:
    """Django, with the event streams in front."""
    stream = gate(JobEvents.as_asgi(), EVENTS_ROUTE)

    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        as_page = b"format=json" in scope.get("query_string", b"")
        await (django if as_page or scope["method"] != "GET" else stream)(scope, receive, send)

    return URLRouter([path(EVENTS_ROUTE, events), re_path(r"", django)])  # type: ignore[arg-type]
