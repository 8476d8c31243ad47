"""Every route of the API and what its methods need: the one table (layer 3 enforces it, docs and tests read it).

A route that is missing here is refused to everybody, and fails a test.
"""

import re

from django.conf import settings

PUBLIC = "public"  # no token
SIGNED_IN = "signed-in"  # any verified caller

# Not in the table: browsers go there with a session of their own or with none, and each guards itself.
OUTSIDE = (
    "/oidc/",  # the built-in issuer: OAuth decides (apps/identity/oidc_views.py)
    "/admin/",  # Django's admin: staff rights from roles
    "/static/",  # the documentation's and the admin's scripts and styles, the same for everybody
)

ROUTES: dict[str, dict[str, str]] = {
    # -- apps/ops
    "/": {"GET": PUBLIC},
    "/v1/": {"GET": PUBLIC},
    "/v1": {"GET": PUBLIC},
    "/metrics": {"GET": "metrics:read"},  # public while METRICS_PUBLIC
    "/v1/health/live": {"GET": PUBLIC},
    "/v1/health/ready": {"GET": PUBLIC},
    "/v1/health/startup": {"GET": PUBLIC},
    "/v1/health/components": {"GET": PUBLIC},
    "/v1/health/components/<str:name>": {"GET": PUBLIC},
    "/v1/openapi.json": {"GET": PUBLIC},
    "/v1/docs": {"GET": PUBLIC},
    "/v1/redoc": {"GET": PUBLIC},
    # -- apps/identity
    "/v1/auth/me": {"GET": SIGNED_IN},
    "/v1/auth/permissions": {"GET": SIGNED_IN},
    "/v1/auth/introspect": {"POST": SIGNED_IN},  # about a token of another: scope introspection, in the service
    # -- apps/jobs
    "/v1/jobs": {"GET": "jobs:read", "POST": "jobs:create"},
    "/v1/jobs/types": {"GET": "jobs:read"},
    "/v1/jobs/stats": {"GET": "jobs:read"},
    "/v1/jobs/<str:job_id>": {"GET": "jobs:read", "DELETE": "jobs:delete"},
    "/v1/jobs/<str:job_id>/events": {"GET": "jobs:read"},
    "/v1/jobs/<str:job_id>/retry": {"POST": "jobs:create"},
    "/v1/admin/jobs": {"GET": "all-jobs:read", "POST": "all-jobs:create"},
    "/v1/admin/jobs/<str:job_id>": {"GET": "all-jobs:read", "DELETE": "all-jobs:delete"},
    # -- apps/files: others' files are for administrators (apps/files/selectors.py)
    "/v1/files": {"GET": "files:read", "POST": "files:create"},
    "/v1/files/<str:file_id>": {"GET": "files:read", "DELETE": "files:delete"},
    "/v1/files/<str:file_id>/content": {"GET": "files:read"},
    # -- apps/tenancy: all tenants, quotas and status are for administrators of the platform (apps/tenancy/rights.py)
    "/v1/tenants": {"GET": "tenants:read", "POST": "tenants:create"},
    "/v1/tenants/exports/<str:name>": {"GET": "tenants:delete"},
    "/v1/tenants/<str:tenant_id>": {"GET": "tenants:read", "PATCH": "tenants:update", "DELETE": "tenants:delete"},
    "/v1/tenants/<str:tenant_id>/suspend": {"POST": "tenants:update"},
    "/v1/tenants/<str:tenant_id>/resume": {"POST": "tenants:update"},
    "/v1/tenants/<str:tenant_id>/deletion-preview": {"GET": "tenants:delete"},
    "/v1/admin/tenants": {"GET": "tenants:read", "POST": "tenants:create"},
    "/v1/admin/tenants/exports/<str:name>": {"GET": "tenants:delete"},
    "/v1/admin/tenants/<str:tenant_id>": {"GET": "tenants:read", "PATCH": "tenants:update", "DELETE": "tenants:delete"},
    "/v1/admin/tenants/<str:tenant_id>/suspend": {"POST": "tenants:update"},
    "/v1/admin/tenants/<str:tenant_id>/resume": {"POST": "tenants:update"},
    "/v1/admin/tenants/<str:tenant_id>/deletion-preview": {"GET": "tenants:delete"},
    # -- apps/llm: rows of the platform's are for its administrators (apps/llm/registry/rights.py). A default of one's
    # own is a preference; the tenant's and the platform's ask for more, in the service.
    **{
        f"/v1/{area}models/{rest}": needs
        for area in ("", "admin/")
        for rest, needs in {
            "instances": {"GET": "models:read", "POST": "models:create"},
            "instances/<str:instance_id>": {"GET": "models:read", "PATCH": "models:update", "DELETE": "models:delete"},
            "instances/<str:instance_id>/tests": {"POST": "models:invoke"},
            "instances/<str:instance_id>/warm-up": {"POST": "models:update"},
            "defaults": {"GET": "models:read", "PATCH": "models:read"},
            "usage": {"GET": "models:read"},
            "budget": {"GET": "models:read"},
        }.items()
    },
    "/v1/admin/models/providers": {"GET": "models:update"},
    "/v1/admin/models/providers/register": {"POST": "models:create"},
    "/v1/admin/models/providers/main": {"GET": "models:update"},
    "/v1/admin/models/providers/<str:provider_id>": {
        "GET": "models:update",
        "PATCH": "models:update",
        "DELETE": "models:delete",
    },
    "/v1/admin/models/providers/<str:provider_id>/default": {"PUT": "models:update"},
    "/v1/admin/models/providers/<str:provider_id>/test": {"POST": "models:update"},
    "/v1/admin/models/manifests/builtins": {"GET": "models:update"},
    "/v1/admin/models/manifests/staged": {"POST": "models:create"},
    "/v1/admin/models/manifests/activations": {"POST": "models:update"},
    "/v1/admin/models/manifests/history": {"GET": "models:update"},
    "/v1/admin/models/manifests/rollbacks": {"POST": "models:update"},
    # -- apps/mcp: who is in may ask; what it may call and read the tools' and resources' own rights say
    "/mcp": {"POST": SIGNED_IN},
    "/.well-known/oauth-protected-resource": {"GET": PUBLIC},
    "/.well-known/oauth-protected-resource/mcp": {"GET": PUBLIC},
    # -- apps/audit
    "/v1/admin/audit": {"GET": "audit:read"},
    "/v1/admin/audit/export": {"GET": "audit:read"},
    "/v1/admin/audit/verify": {"GET": "audit:read"},
    # -- apps/graph: everything but changes only reads, whatever the method
    "/v1/graph/schema": {"GET": "graph:read"},
    "/v1/graph/query": {"POST": "graph:read"},
    "/v1/graph/validate": {"POST": "graph:read"},
    "/v1/graph/explain": {"POST": "graph:read"},
    "/v1/graph/generate": {"POST": "graph:read"},
    "/v1/graph/ask": {"POST": "graph:read"},
    "/v1/graph/changes": {"POST": "graph:update"},
    # -- apps/tools: what a tool itself asks for is the pipeline's to say (apps/tools/pipeline.py)
    "/v1/tools": {"GET": "tools:read"},
    "/v1/tools/invocations": {"GET": "tools:read", "POST": "tools:invoke"},
    "/v1/tools/approvals": {"GET": "tools:read"},
    "/v1/tools/approvals/<str:approval_id>": {"GET": "tools:read", "POST": "tools:invoke"},
    "/v1/tools/<str:name>": {"GET": "tools:read"},
    "/v1/tools/<str:name>/invocations": {"GET": "tools:read", "POST": "tools:invoke"},
    "/v1/tools/<str:name>/invocations/<str:invocation_id>": {"GET": "tools:read"},
    # -- apps/agents: who may start a run may stop it, and go on with it (SPEC 3: create, poll, cancel)
    "/v1/agent-runs": {"GET": "agent-runs:read", "POST": "agent-runs:create"},
    "/v1/agent-runs:run": {"POST": "agent-runs:create"},
    "/v1/agent-runs/<str:run_id>": {"GET": "agent-runs:read", "DELETE": "agent-runs:create"},
    "/v1/agent-runs/<str:run_id>/steps": {"GET": "agent-runs:read"},
    "/v1/agent-runs/<str:run_id>/outputs": {"GET": "agent-runs:read"},
    "/v1/agent-runs/<str:run_id>/tape": {"GET": "agent-runs:read"},
    "/v1/agent-runs/<str:run_id>/events": {"GET": "agent-runs:read"},
    "/v1/agent-runs/<str:run_id>/resume": {"POST": "agent-runs:create"},
    "/v1/agents": {"GET": "agents:read", "POST": "agents:create"},
    "/v1/agents/<str:name>": {"GET": "agents:read", "PATCH": "agents:update", "DELETE": "agents:delete"},
    "/v1/agents/<str:name>/versions": {"GET": "agents:read"},
    "/v1/sessions": {"GET": "sessions:read", "POST": "sessions:create"},
    "/v1/sessions/<str:session_id>": {
        "GET": "sessions:read",
        "PATCH": "sessions:update",
        "DELETE": "sessions:delete",
    },
    "/v1/sessions/<str:session_id>/runs": {"GET": "agent-runs:read"},
    "/v1/sessions/<str:session_id>/steps": {"GET": "sessions:read", "POST": "sessions:update"},
    "/v1/sessions/<str:session_id>/steps/<str:step_id>": {"GET": "sessions:read"},
    "/v1/agents/sessions": {"GET": "sessions:read", "POST": "sessions:create"},
    "/v1/agents/sessions/<str:session_id>": {
        "GET": "sessions:read",
        "PATCH": "sessions:update",
        "DELETE": "sessions:delete",
    },
    "/v1/agents/sessions/<str:session_id>/runs": {"GET": "agent-runs:read"},
    "/v1/agents/sessions/<str:session_id>/steps": {"GET": "sessions:read", "POST": "sessions:update"},
    "/v1/agents/sessions/<str:session_id>/steps/<str:step_id>": {"GET": "sessions:read"},
}


def need(route: str, method: str) -> str | None:
    """PUBLIC, SIGNED_IN or the permission; None for what is not declared. HEAD is as GET."""
    declared = ROUTES.get(route, {}).get("GET" if method == "HEAD" else method)
    return PUBLIC if route == "/metrics" and declared and settings.METRICS_PUBLIC else declared


def is_public_path(path: str, method: str) -> bool:
    """The same for a raw path, before it is resolved to its route; a wrong method of a public route is public too."""
    return path in _PUBLIC_ROUTES or need(path, method) == PUBLIC or bool(_PUBLIC_PATTERN.fullmatch(path))


_PUBLIC_ROUTES = frozenset(route for route, methods in ROUTES.items() if set(methods.values()) == {PUBLIC})
_PUBLIC_PATTERN = re.compile("|".join(re.sub("<[^>]+>", "[^/]+", route) for route in _PUBLIC_ROUTES if "<" in route))
