"""What production demands beyond base: no default secrets, no failpoints, TLS."""

from typing import Any

from config.env import SettingError

OVERRIDES = {
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "SESSION_COOKIE_SECURE": True,
    "CSRF_COOKIE_SECURE": True,
    "SECURE_HSTS_SECONDS": 31_536_000,
    "SECURE_CONTENT_TYPE_NOSNIFF": True,
}


def check(settings: dict[str, Any]) -> None:
    """Raise SettingError for what must not reach production."""
    if len(settings["SECRET_KEY"]) < 50 or len(set(settings["SECRET_KEY"])) < 10:
        raise SettingError("AGENTIC_SECRET_KEY is too weak for production: use 50 random characters or more.")
    if settings["FAILPOINT"]:
        raise SettingError("AGENTIC_FAILPOINT is set: failpoints are refused in production.")
    if not (settings["SWEEPER_ENABLED"] and settings["FENCING_ENABLED"]):
        raise SettingError("AGENTIC_SWEEPER_ENABLED and AGENTIC_FENCING_ENABLED must be true in production.")
    if not settings["PUBLIC_URL"].startswith("https://"):
        raise SettingError("AGENTIC_PUBLIC_URL must be https in production.")
    if not all(its["issuer"].startswith("https://") for its in settings["OIDC_TENANT_ISSUERS"].values()):
        raise SettingError("AGENTIC_OIDC_TENANT_ISSUERS must name https issuers in production.")
    if not settings["LLM_ENCRYPTION_KEYS"]:
        raise SettingError("AGENTIC_LLM_ENCRYPTION_KEYS must be set in production; see its help.")
