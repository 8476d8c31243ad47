"""ASGI: the streams (SSE and websocket) and, for a one-process run, all of Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from apps.edge.body_limit import BodyLimit  # noqa: E402
from apps.edge.stream_gate import StreamGate  # noqa: E402
from apps.jobs.routing import websocket_routes, with_streams  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": BodyLimit(with_streams(django_application, StreamGate)),
        "websocket": websocket_routes(StreamGate),
    }
)
