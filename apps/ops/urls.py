"""Routes of health, metrics and documentation."""

from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView

from apps.ops.views import health, index

urlpatterns = [
    path("", index.root),
    path("v1/", index.v1),
    path("v1", index.v1),
    path("metrics", index.metrics),
    path("v1/health/live", health.live),
    path("v1/health/ready", health.ready),
    path("v1/health/startup", health.startup),
    path("v1/health/components", health.components),
    path("v1/health/components/<str:name>", health.component),
    path(
        "v1/openapi.json",
        SpectacularJSONAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    path(
        "v1/docs",
        SpectacularSwaggerView.as_view(url_name="schema", authentication_classes=[], permission_classes=[]),
    ),
]
