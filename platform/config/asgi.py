"""ASGI: the streams (SSE and websocket), /mcp and, for a one-process run, all of Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from apps.agents.routing import RUN_STREAMS  # noqa: E402
from apps.edge.body_limit import BodyLimit  # noqa: E402
from apps.edge.mcp_gate import McpGate  # noqa: E402
from apps.edge.stream_gate import StreamGate  # noqa: E402
from apps.jobs.routing import JOB_STREAMS, websocket_routes, with_streams  # noqa: E402
from apps.mcp.application import McpApplication  # noqa: E402
from config import warm  # noqa: E402
from kernel.web.asgi import Message, Receive, Scope, Send  # noqa: E402

STREAMS = (JOB_STREAMS, RUN_STREAMS)
mcp_application = McpApplication()


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """The server's start and end are /mcp's; what the first callers need is made ready behind the start."""

    async def told(message: Message) -> None:
        await send(message)
        if message["type"] == "lifespan.startup.complete":
            warm.begin()

    await mcp_application.lifespan(scope, receive, told)


application = ProtocolTypeRouter(
    {
        "http": BodyLimit(McpGate(mcp_application, with_streams(django_application, StreamGate, STREAMS))),
        "websocket": websocket_routes(StreamGate, STREAMS),
        "lifespan": lifespan,
    }
)
