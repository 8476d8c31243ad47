"""The API's table of contents."""

from django.urls import include, path

urlpatterns = [
    path("", include("apps.jobs.urls")),  # /v1/jobs, /v1/admin/jobs
    path("", include("apps.files.urls")),  # /v1/files
    path("", include("apps.graph.urls")),  # /v1/graph
    path("", include("apps.tools.urls")),  # /v1/tools
    path("", include("apps.agents.urls")),  # /v1/sessions, /v1/agents/sessions
    path("", include("apps.llm.urls")),  # /v1/models, /v1/admin/models
    path("", include("apps.tenancy.urls")),  # /v1/tenants, /v1/admin/tenants
    path("", include("apps.audit.urls")),  # /v1/admin/audit
    path("", include("apps.identity.urls")),  # /v1/auth, /oidc
    path("", include("apps.mcp.urls")),  # /.well-known/oauth-protected-resource, /mcp
    path("", include("apps.backoffice.urls")),  # /admin
    path("", include("apps.ops.urls")),  # /v1/, /v1/health, /metrics, docs
]
handler400 = "apps.edge.errors.bad_request"
handler403 = "apps.edge.errors.forbidden"
handler404 = "apps.edge.errors.not_found"
handler500 = "apps.edge.errors.server_error"
