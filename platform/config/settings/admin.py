"""The administration pages at /admin/: sign-in by OIDC, and what django-unfold shows around each (docs/howto/admin.md).

The endpoints of mozilla-django-oidc are not settings here: apps/backoffice/oidc.py takes them from the issuer in force.
"""

from typing import Any

from config.env import env

ADMIN_CLIENT_ID = env.text("AGENTIC_ADMIN_CLIENT_ID", "cineca-admin", "OAuth client of the administration pages.")
ADMIN_CLIENT_SECRET = env.secret(
    "AGENTIC_ADMIN_CLIENT_SECRET", "", "Its secret; empty: one made from AGENTIC_SECRET_KEY, for the built-in issuer."
)
FLOWER_URL = env.text("FLOWER_URL", "", "Where Flower answers, for a link in the administration pages; empty: none.")
ADMIN_SESSION_S = 8 * 3600  # from the sign-in, however busy one is
ADMIN_SIGN_IN_CALLS_PER_MINUTE = 300  # from one address; a sign-in makes two
ADMIN_COOKIE_NAME = "cineca_admin_session"
ADMIN_COOKIE_PATH = "/admin"

AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",  # the built-in issuer's own sign-in page
    "apps.backoffice.oidc.AdminBackend",  # the administration pages; takes no password
]
FORMAT_MODULE_PATH = ["apps.backoffice.formats"]
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no cookie of its own
# Sessions, users and messages lie around the admin's pages alone (apps/backoffice/layers.py): the API has no cookies.
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410"]

OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = "openid profile"
OIDC_USE_PKCE = True
OIDC_TIMEOUT = 5
OIDC_MAX_STATES = 5
OIDC_AUTHENTICATION_CALLBACK_URL = "admin:callback"
LOGIN_REDIRECT_URL = "/admin/"


def _entry(title: str, icon: str, link: str, page: str) -> dict[str, str]:
    """One line of the side bar, shown to whoever may see the page."""
    return {
        "title": title,
        "icon": icon,
        "link": f"/admin/{link}",
        "permission": f"apps.backoffice.rights.shows_{page}",
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "CINECA agentic platform",
    "SITE_HEADER": "CINECA agentic platform",
    "SITE_SUBHEADER": "apps.backoffice.rights.whose_view",
    "SITE_SYMBOL": "hub",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "/static/backoffice/favicon.svg"}],
    "SITE_URL": "",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ACCOUNT": {"navigation": [{"title": "API documentation", "link": "/v1/docs"}]},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        }
    },
    "STYLES": ["/static/backoffice/backoffice.css"],
    "SCRIPTS": ["/static/backoffice/live.js"],
    "SIDEBAR": {
        "navigation": [
            {
                "items": [
                    _entry("Overview", "space_dashboard", "", "overview"),
                ]
            },
            {
                "title": "Work",
                "separator": True,
                "items": [
                    _entry("Jobs", "work", "jobs/job/", "jobs"),
                    _entry("Dead letters", "mark_email_unread", "backoffice/deadletter/", "jobs"),
                    _entry("Agent runs", "smart_toy", "agents/agentrun/", "runs"),
                    _entry("Agent sessions", "forum", "agents/session/", "agent_sessions"),
                    _entry("Agents", "badge", "agents/agent/", "agents"),
                ],
            },
            {
                "title": "Tools",
                "separator": True,
                "items": [
                    _entry("Tools", "build", "tools/toolmanifest/", "tools"),
                    _entry("Policies of tenants", "rule", "tools/toolpolicy/", "tools_set"),
                    _entry("Calls", "call_made", "tools/toolinvocation/", "tool_calls"),
                    _entry("Approvals", "approval", "tools/toolapproval/", "tool_approvals"),
                ],
            },
            {
                "title": "Language models",
                "separator": True,
                "items": [
                    _entry("Providers", "dns", "llm/provider/", "models"),
                    _entry("Models", "neurology", "llm/modelinstance/", "models"),
                    _entry("Defaults", "star", "models/defaults/", "models"),
                    _entry("Manifests", "inventory_2", "llm/providermanifest/", "models"),
                    _entry("Calls", "receipt_long", "backoffice/modelcall/", "spending"),
                    _entry("Spending", "payments", "models/spending/", "spending"),
                ],
            },
            {
                "title": "People",
                "separator": True,
                "items": [
                    _entry("Tenants", "apartment", "tenancy/tenant/", "tenants"),
                    _entry("Users", "group", "identity/user/", "users"),
                    _entry("Signed in", "login", "signed-in/", "signed_in"),
                    _entry("Rate limits", "speed", "limits/", "limits"),
                ],
            },
            {
                "title": "Platform",
                "separator": True,
                "items": [
                    _entry("Audit", "policy", "audit/auditlog/", "audit"),
                    _entry("Settings in force", "tune", "settings/", "settings"),
                ],
            },
        ]
    },
}
