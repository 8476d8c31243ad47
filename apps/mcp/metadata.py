"""Where a client gets its token: OAuth 2.0 protected-resource metadata (RFC 9728), and the challenge that names it.

Everything in it comes from the settings, never from a request: no Host header makes it name another issuer.
"""

from typing import Any

from django.conf import settings

from apps.identity.issuer import own_issuer

WELL_KNOWN = "/.well-known/oauth-protected-resource"
# What tools of the roles need. Administering is not asked for: a token for a model should be able to do less.
SCOPES = (
    "openid",
    "read",
    "write",
    "tools:invoke",
    "tools:invoke:basic",
    "graph:read",
    "graph:write",
    "models:list",
    "models:infer",
    "sessions:*",
    "system:status",
)


def document() -> dict[str, Any]:
    """The metadata of /mcp."""
    return {
        "resource": f"{settings.PUBLIC_URL}{settings.MCP_PATH}",
        "authorization_servers": [settings.OIDC_ISSUER or own_issuer()],
        "scopes_supported": list(SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "CINECA agentic platform",
        "resource_documentation": f"{settings.PUBLIC_URL}/v1/docs",
    }


def challenge(*, had_token: bool) -> str:
    """WWW-Authenticate of a 401. ``had_token``: the caller sent one, which was not good."""
    error = ', error="invalid_token"' if had_token else ""
    where = f"{settings.PUBLIC_URL}{WELL_KNOWN}{settings.MCP_PATH}"
    return f'Bearer realm="cineca"{error}, resource_metadata="{where}", scope="{" ".join(SCOPES)}"'
