"""The demo data: two tenants with a user per role, and the OAuth clients of the tour. Passwords come from the secret
key, so that they stay the same and can be printed, yet differ from one installation to the next."""

import hashlib
import hmac

from django.conf import settings

TENANTS = {"demo": "Demo laboratory", "other": "Other laboratory"}
ROLES = ("admin", "operator", "user", "viewer")
CLI_CLIENT_ID = "cineca-cli"
CLI_REDIRECT_URI = "http://127.0.0.1:8976/callback"
FLOWER_CLIENT_ID = "flower"
FLOWER_REDIRECT_URI = "http://127.0.0.1:5555/login"


def username(role: str, slug: str) -> str:
    return f"{role}@{slug}.example"


def password(name: str) -> str:
    """Of the demo user or confidential client ``name``: 16 hexadecimal digits."""
    return hmac.new(settings.SECRET_KEY.encode(), f"demo:{name}".encode(), hashlib.sha256).hexdigest()[:16]
