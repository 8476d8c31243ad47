"""The layers between the socket and a view, outermost first (SPEC 2)."""

MIDDLEWARE = [
    "apps.edge.errors.ErrorHandler",  # 8: anything uncaught -> problem+json; outermost, so that it sees the rest fail
    "django.middleware.security.SecurityMiddleware",  # HSTS and nosniff in production (prod.py)
    "apps.edge.static_files.StaticFiles",  # /static/: the documentation's scripts
    "apps.edge.measure.Measure",  # http_requests_total, http_request_duration_seconds
    "apps.edge.trace.TraceContext",  # 2: X-Request-Id, X-Correlation-Id, traceparent
    "apps.edge.input_guard.InputGuard",  # 6: content type and size
    "apps.edge.auth.BearerAuth",  # 3: Bearer -> request.principal
]
