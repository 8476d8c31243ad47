"""Every route of the API and what its methods need: the one table (layer 3 enforces it, docs and tests read it).

A route that is missing here is refused to everybody, and fails a test.
"""

PUBLIC = "public"  # no token
SIGNED_IN = "signed-in"  # any verified caller

ROUTES: dict[str, dict[str, str]] = {
    # -- apps/ops
    "/": {"GET": PUBLIC},
    "/v1/": {"GET": PUBLIC},
    "/v1": {"GET": PUBLIC},
    "/metrics": {"GET": PUBLIC},
    "/v1/health/live": {"GET": PUBLIC},
    "/v1/health/ready": {"GET": PUBLIC},
    "/v1/health/startup": {"GET": PUBLIC},
    "/v1/health/components": {"GET": PUBLIC},
    "/v1/health/components/<str:name>": {"GET": PUBLIC},
    "/v1/openapi.json": {"GET": PUBLIC},
    "/v1/docs": {"GET": PUBLIC},
    # -- apps/identity
    "/v1/auth/me": {"GET": SIGNED_IN},
    # -- apps/jobs
    "/v1/jobs": {"GET": "jobs:read", "POST": "jobs:create"},
    "/v1/jobs/types": {"GET": "jobs:read"},
    "/v1/jobs/stats": {"GET": "jobs:read"},
    "/v1/jobs/<str:job_id>": {"GET": "jobs:read", "DELETE": "jobs:delete"},
    "/v1/jobs/<str:job_id>/events": {"GET": "jobs:read"},
    "/v1/jobs/<str:job_id>/retry": {"POST": "jobs:create"},
    "/v1/admin/jobs": {"GET": "platform:update", "POST": "platform:update"},
    "/v1/admin/jobs/<str:job_id>": {"GET": "platform:update", "DELETE": "platform:update"},
    # -- apps/agents
    "/v1/sessions": {"GET": "sessions:read", "POST": "sessions:create"},
    "/v1/sessions/<str:session_id>": {"GET": "sessions:read", "DELETE": "sessions:delete"},
    "/v1/sessions/<str:session_id>/steps": {"GET": "sessions:read", "POST": "sessions:update"},
    "/v1/sessions/<str:session_id>/steps/<str:step_id>": {"GET": "sessions:read"},
    "/v1/agents/sessions": {"GET": "sessions:read", "POST": "sessions:create"},
    "/v1/agents/sessions/<str:session_id>": {"GET": "sessions:read", "DELETE": "sessions:delete"},
    "/v1/agents/sessions/<str:session_id>/steps": {"GET": "sessions:read", "POST": "sessions:update"},
    "/v1/agents/sessions/<str:session_id>/steps/<str:step_id>": {"GET": "sessions:read"},
}
