"""The layers between the socket and a view, outermost first (SPEC 2)."""

MIDDLEWARE = [
    "apps.edge.errors.ErrorHandler",  # 8: anything uncaught -> problem+json; outermost, so that it sees the rest fail
    "apps.edge.output_guard.OutputGuard",  # 7: personal data, secrets and size of what goes out
    "django.middleware.security.SecurityMiddleware",  # HSTS and nosniff in production (prod.py)
    "apps.edge.static_files.StaticFiles",  # /static/: the documentation's scripts
    "apps.edge.measure.Measure",  # http_requests_total, http_request_duration_seconds
    "apps.edge.cors.Cors",  # 1: preflights, and who may read the answers
    "apps.edge.trace.TraceContext",  # 2: X-Request-Id, X-Correlation-Id, traceparent
    "apps.edge.oidc_audit.OidcAudit",  # audit rows of sign-ins, good and bad
    "apps.edge.refusals.RefusalLimit",  # 4's part before 3: addresses whose tokens are refused too often
    "apps.edge.auth.BearerAuth",  # 3: Bearer -> request.principal
    "apps.edge.rate_limit.RateLimit",  # 4: X-RateLimit-*, 429
    "apps.edge.tenant.TenantResolver",  # 5: request.tenant_config; suspended tenants, X-Tenant-Id
    "apps.edge.input_guard.InputGuard",  # 6: host, content type, size, depth; what stands in path and query
]
