"""The OAuth client of the administration pages at the built-in issuer. Registered by `manage.py prepare`."""

import hashlib
import hmac

from django.conf import settings

from apps.identity.services import ensure_application

CALLBACK_PATH = "/admin/oidc/callback"


def client_secret() -> str:
    """The configured secret. The built-in issuer and the admin are one platform: they can do with one of their own."""
    if settings.ADMIN_CLIENT_SECRET or settings.OIDC_ISSUER:
        return str(settings.ADMIN_CLIENT_SECRET)
    return hmac.new(settings.SECRET_KEY.encode(), b"oauth client of the admin", hashlib.sha256).hexdigest()


def ensure_admin_client() -> None:
    """Make or correct the client's row. Safe to repeat."""
    ensure_application(
        client_id=settings.ADMIN_CLIENT_ID,
        name="Administration pages",
        redirect_uris=[f"{settings.PUBLIC_URL}{CALLBACK_PATH}"],
        secret=client_secret(),
        trusted=True,
    )
