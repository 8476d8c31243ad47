"""ASGI: the streams (SSE and websocket) and, for a one-process run, all of Django."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from apps.jobs.routing import websocket_routes, with_streams  # noqa: E402

application = ProtocolTypeRouter({"http": with_streams(django_application), "websocket": URLRouter(websocket_routes)})
