"""WSGI: the API and the admin, for production API workers. Streams need config.asgi."""

import os

from django.core.wsgi import get_wsgi_application

from config import warm

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()
warm.begin()
