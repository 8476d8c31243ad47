"""Which web pages of other origins may read the API's answers (layer 1, apps/edge/cors.py)."""

from urllib.parse import urlsplit

from config.env import SettingError, env

DEV_ORIGINS = ("http://localhost:3000", "http://127.0.0.1:3000")
DEFAULT_PORTS = {"http": 80, "https": 443}

CORS_CREDENTIALS = env.flag(
    "AGENTIC_CORS_CREDENTIALS", False, "Whether pages of AGENTIC_CORS_ORIGINS may send cookies and client certificates."
)
CORS_MAX_AGE_S = 600
CORS_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CORS_REQUEST_HEADERS = (
    "Accept",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "traceparent",
    "tracestate",
    "X-Correlation-Id",
    "X-Request-Id",
    "X-Tenant-Id",
)
CORS_EXPOSED_HEADERS = (
    "ETag",
    "Idempotency-Key",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "traceparent",
    "Vary",
    "X-Content-Truncated",
    "X-Correlation-Id",
    "X-Job-Id",
    "X-RateLimit-Limit",
    "X-RateLimit-Policy",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-RateLimit-Scope",
    "X-RateLimit-Window",
    "X-Request-Id",
)


def origin(text: str) -> str:
    """An origin as a browser writes it: lower case, no default port. SettingError for anything but an origin."""
    parts = urlsplit(text.strip())
    try:
        port = parts.port
    except ValueError:
        port = -1
    is_origin = parts.scheme in DEFAULT_PORTS and parts.hostname and port != -1
    if not is_origin or parts.path or parts.query or parts.fragment or "@" in parts.netloc or "*" in parts.netloc:
        raise SettingError(
            f"AGENTIC_CORS_ORIGINS: {text!r} is no origin. Write scheme://host or scheme://host:port, without a path "
            "and without patterns, or a single * for everybody."
        )
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def allowed(listed: list[str], credentials: bool, environment: str) -> frozenset[str]:
    """The origins in force. In development the panel's own; elsewhere none unless listed."""
    if listed == ["*"]:
        if credentials:
            raise SettingError(
                "AGENTIC_CORS_ORIGINS=* and AGENTIC_CORS_CREDENTIALS=true would let every web page act as its visitor. "
                "List the origins, or leave credentials off."
            )
        return frozenset(listed)
    if not listed and environment == "dev":
        return frozenset(DEV_ORIGINS)
    return frozenset(map(origin, listed))


_listed = env.items(
    "AGENTIC_CORS_ORIGINS",
    "",
    "Origins of web pages that may call the API, such as https://panel.example.org; * for all. Empty: none, but "
    "http://localhost:3000 and http://127.0.0.1:3000 in development.",
)


def cors_origins(environment: str) -> frozenset[str]:
    """For base.py, which knows the environment."""
    return allowed(_listed, CORS_CREDENTIALS, environment)
