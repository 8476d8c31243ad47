"""The built-in OIDC issuer (django-oauth-toolkit) and how passwords are kept. Who is trusted stands in base.py."""

from apps.identity.scopes import SCOPE_TEXTS
from config.env import SettingError, env

PLATFORM_TENANT = env.text(
    "AGENTIC_PLATFORM_TENANT", "platform", "Short name of the tenant whose admins administer the whole platform."
)

OIDC_TENANT_ISSUERS = env.objects(
    "AGENTIC_OIDC_TENANT_ISSUERS",
    ("issuer", "audience"),
    'Tenants with an issuer of their own: {"slug": {"issuer": "https://...", "audience": "..."}}.',
)
if len({its["issuer"] for its in OIDC_TENANT_ISSUERS.values()}) < len(OIDC_TENANT_ISSUERS):
    raise SettingError("AGENTIC_OIDC_TENANT_ISSUERS: an issuer speaks for one tenant; one stands there twice.")

# Wrong passwords and client secrets, before a sign-in is refused with 429 (apps/identity/throttle.py)
SIGN_IN_FAILURES_PER_ACCOUNT = 10
SIGN_IN_FAILURES_PER_ADDRESS = 30
SIGN_IN_WINDOW_S = 900

ACCESS_TOKEN_TTL_S = 900
SESSION_COOKIE_NAME = "cineca_session"
SESSION_COOKIE_PATH = "/oidc"
SESSION_COOKIE_AGE = 8 * 3600
CSRF_COOKIE_NAME = "cineca_csrf"
CSRF_COOKIE_PATH = "/oidc"
CSRF_COOKIE_HTTPONLY = True
LOGIN_URL = "/oidc/login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "SCOPES": SCOPE_TEXTS,
    "DEFAULT_SCOPES": ["openid", "user:me", "read"],
    "OAUTH2_VALIDATOR_CLASS": "apps.identity.oauth.IssuerValidator",
    "ACCESS_TOKEN_GENERATOR": "apps.identity.oauth.access_token_for",
    # Named, because oauthlib would otherwise make refresh tokens with the access token's generator.
    "REFRESH_TOKEN_GENERATOR": "oauthlib.oauth2.rfc6749.tokens.random_token_generator",
    "ACCESS_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_TTL_S,
    "ID_TOKEN_EXPIRE_SECONDS": ACCESS_TOKEN_TTL_S,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 14 * 86_400,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "ROTATE_REFRESH_TOKEN": True,
    "PKCE_REQUIRED": True,
    "ALLOWED_SCHEMES": ["http", "https"],
    # RFC 9700: S256 only, no implicit and no password grant, tokens hashed at rest, `iss` in the redirect.
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}
