"""Sign-in by OIDC against the issuer in force, by mozilla-django-oidc, with more checks of the claims than it has.

With the built-in issuer the account is a row already. With an external one a row stands in for it (accounts.py).
"""

import threading
import time
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import SuspiciousOperation
from django.db import connections
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings

from apps.backoffice.accounts import local_account, shadow_account
from apps.identity.issuer import keyring, own_issuer
from apps.identity.models import User
from apps.ops.admin_client import client_secret

DISCOVERY_S = 900
_ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": ("authorization_endpoint", "authorize"),
    "OIDC_OP_TOKEN_ENDPOINT": ("token_endpoint", "token"),
    "OIDC_OP_USER_ENDPOINT": ("userinfo_endpoint", "userinfo"),
    "OIDC_OP_JWKS_ENDPOINT": ("jwks_uri", ".well-known/jwks.json"),
}


class Discovery:
    """The external issuer's own description, fetched at most every quarter of an hour."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._document: dict[str, Any] = {}
        self._known_for = ("", 0.0)

    def get(self) -> dict[str, Any]:
        with self._lock:
            issuer, fetched_at_s = self._known_for
            if issuer != settings.OIDC_ISSUER or time.monotonic() > fetched_at_s + DISCOVERY_S:
                self._document = self._fetch()
                self._known_for = (settings.OIDC_ISSUER, time.monotonic())
            return self._document

    @staticmethod
    def _fetch() -> dict[str, Any]:
        url = settings.OIDC_ISSUER.rstrip("/") + "/.well-known/openid-configuration"
        answer = requests.get(url, timeout=settings.OIDC_TIMEOUT)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        if document.get("issuer") != settings.OIDC_ISSUER:
            raise SuspiciousOperation("the discovery document names another issuer")
        return document


discovery = Discovery()


def oidc_setting(name: str, *default: Any) -> Any:
    """What mozilla-django-oidc asks the settings for: endpoints and client follow from the issuer in force."""
    if name in _ENDPOINTS:
        claim, own_path = _ENDPOINTS[name]
        return discovery.get()[claim] if settings.OIDC_ISSUER else f"{own_issuer()}/{own_path}"
    if name == "OIDC_RP_CLIENT_ID":
        return settings.ADMIN_CLIENT_ID
    if name == "OIDC_RP_CLIENT_SECRET":
        return client_secret()
    if name == "OIDC_PROXY" and not settings.OIDC_ISSUER:
        return {"no_proxy": urlsplit(settings.PUBLIC_URL).hostname}  # a call to ourselves leaves by no proxy
    return import_from_settings(name, *default)


class AdminBackend(OIDCAuthenticationBackend):
    """Takes an authorization code, never a password. A subject whose claims do not hold is nobody."""

    OIDC_RP_IDP_SIGN_KEY = None
    OIDC_RP_SIGN_ALGO = "RS256"

    def __init__(self) -> None:
        # Not the parent's, which asks for every endpoint: this runs for each request of a session.
        self.UserModel = get_user_model()

    @staticmethod
    def get_settings(attr: str, *args: Any) -> Any:
        return oidc_setting(attr, *args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("OIDC_"):
            return oidc_setting(name)
        raise AttributeError(name)

    def authenticate(  # the signature keeps user names and passwords away (django.contrib.auth.authenticate)
        self, request: HttpRequest | None, *, nonce: str, code_verifier: str
    ) -> User | None:
        connections.close_all()  # the issuer, perhaps this process, needs one to answer
        user: User | None = super().authenticate(request, nonce=nonce, code_verifier=code_verifier)
        return user

    def retrieve_matching_jwk(self, token: str) -> Any:
        """The key that the token names: of our own ring without asking ourselves, else of the issuer's JWKS."""
        if settings.OIDC_ISSUER:
            return super().retrieve_matching_jwk(token)
        kid = jwt.get_unverified_header(token).get("kid")
        for key in keyring().public_jwks()["keys"]:
            if key["kid"] == kid:
                return jwt.PyJWK(key)
        raise SuspiciousOperation("the ID token names a key that is not ours")

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Signature and nonce by the library; issuer, audience and expiry here."""
        claims: dict[str, Any] = super().verify_token(token, **kwargs)
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else audience
        if claims.get("iss") != (settings.OIDC_ISSUER or own_issuer()):
            raise SuspiciousOperation("the ID token is another issuer's")
        if not isinstance(audiences, list) or settings.ADMIN_CLIENT_ID not in audiences:
            raise SuspiciousOperation("the ID token was made for another client")
        if len(audiences) > 1 and claims.get("azp") != settings.ADMIN_CLIENT_ID:
            raise SuspiciousOperation("the ID token was made for another client")
        if not isinstance(claims.get("exp"), int | float) or not isinstance(claims.get("sub"), str):
            raise SuspiciousOperation("the ID token has no subject or no end")
        return claims

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User | None:
        self.request.admin_sub = payload["sub"]
        if not settings.OIDC_ISSUER:
            return local_account(payload["sub"], access_token=access_token)
        self.request.session["oidc_id_token"] = id_token  # a hint for the sign-out
        claims = payload
        if "tenant_id" not in claims or "roles" not in claims:
            said = self.get_userinfo(access_token, id_token, payload)
            if said.get("sub") != payload["sub"]:
                raise SuspiciousOperation("userinfo speaks of somebody else")
            claims = {**said, **payload}
        return shadow_account(issuer=settings.OIDC_ISSUER, claims=claims)

    def get_user(self, user_id: Any) -> User | None:
        return User.objects.filter(pk=user_id).first()
