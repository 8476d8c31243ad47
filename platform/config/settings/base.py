"""What every process of the platform shares. Numbers live in limits.py, layers in middleware.py."""

from pathlib import Path

from config.env import database, env
from config.settings.admin import *  # noqa: F403
from config.settings.celery import *  # noqa: F403
from config.settings.cors import *  # noqa: F403
from config.settings.cors import cors_origins
from config.settings.files import *  # noqa: F403
from config.settings.graph import *  # noqa: F403
from config.settings.guards import *  # noqa: F403
from config.settings.identity import *  # noqa: F403
from config.settings.limits import *  # noqa: F403
from config.settings.limits import DB_POOL_MAX_CONNECTIONS, DB_POOL_WAIT_S
from config.settings.llm import *  # noqa: F403
from config.settings.mcp import *  # noqa: F403
from config.settings.middleware import MIDDLEWARE  # noqa: F401
from config.settings.observability import *  # noqa: F403
from config.settings.rate_limits import *  # noqa: F403

BASE_DIR = Path(__file__).resolve().parents[3]
ENVIRONMENT = env.choice("AGENTIC_ENV", "dev", ("dev", "test", "prod"), "prod refuses weak secrets and plain HTTP.")
CORS_ORIGINS = cors_origins(ENVIRONMENT)
SERVICE_NAME = "cineca-agentic-platform"
VERSION = "0.1.0"
DEBUG = False
SECRET_KEY = env.secret("AGENTIC_SECRET_KEY", None, "Signs sessions and page tokens; 50 random characters or more.")
PUBLIC_URL = env.url(
    "AGENTIC_PUBLIC_URL",
    "http://127.0.0.1:8000",
    "Where clients reach the API, without /v1.",
    ("http", "https"),
).rstrip("/")
ALLOWED_HOSTS = env.items("AGENTIC_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]", "Host names the API answers to.")
PORT = env.integer("AGENTIC_PORT", 8000, "The API's port in `make run`.", 1, 65535)

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",  # before Django's admin, whose templates it replaces
    "unfold.contrib.filters",
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "apps.identity",
    "apps.tenancy",
    "apps.audit",
    "apps.llm",
    "apps.jobs",
    "apps.files",
    "apps.graph",
    "apps.tools",
    "apps.agents",
    "apps.ops",
    "apps.toolbox",
    "apps.mcp",
    "apps.backoffice",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "identity.User"
USE_TZ = True
TIME_ZONE = "UTC"
APPEND_SLASH = False
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # files come straight from the packages: no collectstatic
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "apps/backoffice/templates"],  # what they replace of unfold's, whose app stands first
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- PostgreSQL: one database, four roles (docs/adr/0003). The application's own role sees one tenant at a time.
POSTGRES = ("postgresql", "postgres")
_pool = {"min_size": 1, "max_size": DB_POOL_MAX_CONNECTIONS, "timeout": DB_POOL_WAIT_S, "max_idle": 60.0}
_options = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "agentic",
    "prepare_threshold": 2,  # for cursors with server-side binding: kernel.tenant_context.prepared_cursor
}
DATABASES = {
    "default": database(
        env.url("DATABASE_URL", None, "PostgreSQL as the role cineca_app.", POSTGRES, secret=True),
        OPTIONS={**_options, "pool": _pool},
    ),
    "engine": database(
        env.url(
            "AGENTIC_DATABASE_ENGINE_URL",
            None,
            "PostgreSQL as cineca_engine, which looks across tenants.",
            POSTGRES,
            secret=True,
        ),
        OPTIONS={**_options, "pool": {**_pool, "min_size": 0, "max_size": 4}},
    ),
    "issuer": database(
        env.url(
            "AGENTIC_DATABASE_ISSUER_URL",
            None,
            "PostgreSQL as cineca_issuer: accounts and OAuth tables.",
            POSTGRES,
            secret=True,
        ),
        OPTIONS={**_options, "pool": {**_pool, "min_size": 0}},
    ),
}
_owner_url = env.text("AGENTIC_DATABASE_OWNER_URL", "", "PostgreSQL as cineca_owner; only `migrate` needs it.")
if _owner_url:
    DATABASES["owner"] = database(_owner_url)
DATABASE_ROUTERS = ["kernel.db_router.RoleRouter"]

ENV_REGISTRY = env.registry  # for docs/reference/settings.md

# --- Redis
REDIS_URL = env.url("REDIS_URL", None, "Redis or Valkey: queue, rings, wake-ups.", ("redis", "rediss"), secret=True)
CELERY_BROKER_URL = REDIS_URL
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Who may call: docs/howto/identity.md
OIDC_ISSUER = env.text(
    "AGENTIC_OIDC_ISSUER", "", "Issuer of access tokens (Auth0, Keycloak); empty: the built-in one at /oidc."
)
OIDC_AUDIENCE = env.text("AGENTIC_OIDC_AUDIENCE", "cineca-agentic-platform", "The `aud` an access token must carry.")
ISSUER_KEYS_DIR = env.text(
    "AGENTIC_ISSUER_KEYS_DIR", ".dev/issuer-keys", "Directory of the built-in issuer's RSA keys (PEM)."
)
METRICS_PUBLIC = env.flag(
    "AGENTIC_METRICS_PUBLIC",
    ENVIRONMENT != "prod",
    "Whether /metrics answers without a token; in prod the default is false: a token with system:metrics.",
)
EXPORTS_DIR = env.text(
    "AGENTIC_EXPORTS_DIR",
    ".dev/exports",
    "Directory of exports of deleted tenants; the API and the workers share it.",
)

if ENVIRONMENT == "test":  # a password hash that takes its time is no use to a test
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    SIGN_IN_FAILURES_PER_ADDRESS = 1000  # every test calls from one address
    ADMIN_SIGN_IN_CALLS_PER_MINUTE = 3000  # and a fast machine signs in for many tests a minute

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.identity.permissions.PrincipalAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.identity.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["kernel.web.body.StrictJson"],
    "EXCEPTION_HANDLER": "kernel.web.problem.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CINECA agentic platform",
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "PREPROCESSING_HOOKS": ["apps.ops.openapi.without_aliases"],
    "POSTPROCESSING_HOOKS": ["apps.ops.openapi.complete"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
