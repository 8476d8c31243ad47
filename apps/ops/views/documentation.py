"""The OpenAPI document, which a process makes once, and the pages that show it."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView
from pydantic_core import to_json

from kernel.web.api import PublicView
from kernel.web.etag import strong_etag
from kernel.web.schema import json_if_changed


@functools.cache
def _document() -> tuple[dict[str, Any], str]:
    """The document and its ETag. Making it takes a second, and anybody may ask: it is the same for everybody."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    return document, strong_etag(to_json(document))


class OpenApi(PublicView):
    """/v1/openapi.json"""

    @extend_schema(exclude=True)
    def get(self, request: HttpRequest) -> HttpResponse:
        document, etag = _document()
        return json_if_changed(request, lambda: document, {"ETag": etag, "Cache-Control": "no-cache"})


class Swagger(SpectacularSwaggerView):
    """/v1/docs"""

    authentication_classes = []
    permission_classes = []


class Redoc(SpectacularRedocView):
    """/v1/redoc, without the fonts that drf-spectacular's own page has from another host."""

    authentication_classes = []
    permission_classes = []
    template_name = "ops/redoc.html"
