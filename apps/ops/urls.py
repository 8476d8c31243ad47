"""Routes of health, metrics, documentation, and of what joins tenants with jobs."""

from django.urls import path

from apps.ops.views import documentation, health, index, tenants

urlpatterns = [
    path("v1/tenants/<str:tenant_id>", tenants.TenantDetail.as_view()),
    path("v1/admin/tenants/<str:tenant_id>", tenants.TenantDetail.as_view()),
    path("", index.root),
    path("v1/", index.Index.as_view()),
    path("v1", index.Index.as_view()),
    path("metrics", index.metrics),
    path("v1/health/live", health.Live.as_view()),
    path("v1/health/ready", health.Ready.as_view()),
    path("v1/health/startup", health.Startup.as_view()),
    path("v1/health/components", health.Components.as_view()),
    path("v1/health/components/<str:name>", health.Component.as_view()),
    path("v1/openapi.json", documentation.OpenApi.as_view(), name="schema"),
    path("v1/docs", documentation.Swagger.as_view(url_name="schema")),
    path("v1/redoc", documentation.Redoc.as_view(url_name="schema")),
]
