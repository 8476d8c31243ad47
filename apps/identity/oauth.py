"""Where django-oauth-toolkit calls us: access tokens are JWTs of our keyring, and only people in good standing get one.

Its own idea of a signing key (one PEM in the settings) is not used: keys rotate in apps/identity/keyring.py.
"""

from typing import Any

from django.conf import settings
from oauth2_provider.models import get_id_token_model
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauthlib.common import Request
from oauthlib.oauth2.rfc6749.errors import InvalidGrantError, UnauthorizedClientError

from apps.identity.issuer import keyring, own_issuer, sign, sign_access_token
from apps.identity.jose import check_signature, decode
from apps.identity.jwks import LocalJwks
from apps.identity.models import User
from apps.identity.rbac import grantable
from apps.identity.standing import slug_of, tenant_is_active


def access_token_for(request: Request) -> str:
    """ACCESS_TOKEN_GENERATOR. Narrows the granted scopes to what the user's roles allow, and says so in the answer."""
    user: User | None = request.user
    if user is None:
        raise UnauthorizedClientError("Tokens are issued to people: use the authorization code flow.", request=request)
    if user.tenant_id is None or not may_sign_in(user):
        raise InvalidGrantError("The account is disabled or has no active tenant.", request=request)
    request.scopes = grantable(request.scopes, user.roles)
    return sign_access_token(
        sub=str(user.pk),
        tenant_id=user.tenant_id,
        roles=user.roles,
        scopes=request.scopes,
        client_id=request.client.client_id,
        ttl_s=settings.ACCESS_TOKEN_TTL_S,
    )


def may_sign_in(user: User) -> bool:
    """Whether the account is enabled, and its tenant exists, is not suspended and has no issuer of its own."""
    if user.tenant_id is None or not (user.is_active and tenant_is_active(user.tenant_id)):
        return False
    return slug_of(user.tenant_id) not in settings.OIDC_TENANT_ISSUERS


class IssuerValidator(OAuth2Validator):
    """What differs from the toolkit's own validator."""

    oidc_claim_scope = {
        "sub": "openid",
        "preferred_username": "profile",
        "tenant_id": "profile",
        "roles": "profile",
    }

    def validate_code(self, client_id: str, code: str, client: Any, request: Request, *args: Any, **kw: Any) -> bool:
        return super().validate_code(client_id, code, client, request, *args, **kw) and may_sign_in(request.user)

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Request, *args: Any, **kw: Any) -> bool:
        valid = super().validate_refresh_token(refresh_token, client, request, *args, **kw)
        return valid and may_sign_in(request.user)

    def get_oidc_issuer_endpoint(self, request: Request) -> str:
        return own_issuer()

    def get_additional_claims(self) -> dict[str, Any]:
        return {
            "preferred_username": lambda request: request.user.get_username(),
            "tenant_id": lambda request: str(request.user.tenant_id),
            "roles": lambda request: sorted(request.user.roles),
        }

    def finalize_id_token(self, id_token: dict[str, Any], token: Any, token_handler: Any, request: Request) -> str:
        claims, expires_at = self.get_id_token_dictionary(token, token_handler, request)
        id_token.update(claims)
        if "nonce" not in id_token and request.nonce:
            id_token["nonce"] = request.nonce
        request.id_token = self._save_id_token(id_token["jti"], request, expires_at)
        return sign(id_token, typ="JWT")

    def _load_id_token(self, token: str) -> Any:
        """The row of an ID token of ours, so that the access token made with it is tied to it."""
        decoded = decode(token)
        key = LocalJwks(keyring()).get(decoded.kid)
        if key is None:
            return None
        check_signature(decoded, key)
        return get_id_token_model().objects.filter(jti=decoded.payload["jti"]).first()

    def validate_jwt_bearer_token(self, token: str, scopes: list[str], request: Request) -> bool:
        """oauthlib takes whatever looks like a JWT for an ID token; ours are access tokens."""
        return self.validate_bearer_token(token, scopes, request)

    def validate_bearer_token(self, token: str, scopes: list[str], request: Request) -> bool:
        """For userinfo and introspection; the API itself never asks here."""
        return super().validate_bearer_token(token, scopes, request) and may_sign_in(request.user)
