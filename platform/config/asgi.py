"""ASGI: the streams (SSE and websocket) and, for a one-process run, all of Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from apps.agents.routing import RUN_STREAMS  # noqa: E402
from apps.edge.body_limit import BodyLimit  # noqa: E402
from apps.edge.stream_gate import StreamGate  # noqa: E402
from apps.jobs.routing import JOB_STREAMS, websocket_routes, with_streams  # noqa: E402

STREAMS = (JOB_STREAMS, RUN_STREAMS)
application = ProtocolTypeRouter(
    {
        "http": BodyLimit(with_streams(django_application, StreamGate, STREAMS)),
        "websocket": websocket_routes(StreamGate, STREAMS),
    }
)
