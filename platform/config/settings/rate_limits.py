"""Requests a minute, as data (SPEC 2.4). A tenant's own settings go before these: apps/tenancy/config.py."""

from ipaddress import ip_network

from config.env import SettingError, env

RATE_LIMIT_FACTOR = env.number(
    "AGENTIC_RATE_LIMIT_FACTOR",
    1.0,
    "Multiplies the platform's own rate limits; not those a tenant was given.",
    0.0001,
)
WEB_PROCESSES = env.integer(
    "AGENTIC_WEB_PROCESSES",
    1,
    "API processes there are: without Redis each allows its share of a rate limit.",
    1,
    1000,
)


def _networks(listed: list[str]) -> tuple[object, ...]:
    try:
        return tuple(ip_network(item.strip(), strict=False) for item in listed)
    except ValueError as error:
        raise SettingError(f"AGENTIC_TRUSTED_PROXIES: {error}. List addresses or networks, 10.0.0.0/8.") from error


TRUSTED_PROXIES = _networks(
    env.items(
        "AGENTIC_TRUSTED_PROXIES",
        "",
        "Addresses or networks of the proxies whose X-Forwarded-For names the client; empty: it is ignored.",
    )
)

# The predecessor's requests a minute, times ten: every request counts here, not only those that cost much.
RATE_LIMITS_BY_ROLE = {
    "admin": 2400,
    "operator": 1800,
    "data_engineer": 1200,
    "curator": 900,
    "researcher": 600,
    "user": 600,
    "viewer": 300,
    "auditor": 300,
    "guest": 200,
}
RATE_LIMIT_WITHOUT_ROLE = 200
RATE_LIMIT_TENANT = 30_000
RATE_LIMIT_ADDRESS = 300  # refused tokens, and calls without one

# A tenant's callers together, for each route.
RATE_LIMIT_ROUTE = 20_000
RATE_LIMITS_BY_ROUTE = {
    "GET /v1/auth/me": 18_000,
    "POST /v1/auth/introspect": 18_000,
    "POST /v1/sessions": 6_000,
    "POST /v1/agents/sessions": 6_000,
    "POST /v1/agent-runs": 12_000,
    "POST /v1/tenants": 600,
    "POST /v1/admin/tenants": 600,
    "GET /v1/admin/audit/export": 600,
    # Each waits for a provider, some for half a minute.
    "POST /v1/models/instances/<str:instance_id>/tests": 3_000,
    "POST /v1/admin/models/instances/<str:instance_id>/tests": 3_000,
    "POST /v1/models/instances/<str:instance_id>/warm-up": 120,
    "POST /v1/admin/models/instances/<str:instance_id>/warm-up": 120,
    "POST /v1/admin/models/providers/<str:provider_id>/test": 300,
}

# Starting a run costs far more than a request, so it is limited by itself (the predecessor's numbers, contract 1.7).
RUNS_PER_MINUTE = env.integer(
    "AGENTIC_RUNS_PER_MINUTE", 20, "Runs of agents that one caller may start or resume in any minute.", 1, 1_000_000
)
RUNS_PER_TENANT_HOUR = env.integer(
    "AGENTIC_RUNS_PER_TENANT_HOUR", 2000, "Runs that a tenant's callers together may start in any hour.", 1, 100_000_000
)
RUN_STARTS = frozenset({"POST /v1/agent-runs", "POST /v1/agent-runs:run", "POST /v1/agent-runs/<str:run_id>/resume"})

# Probes must answer an orchestrator that asks often, from one address, without a token.
UNLIMITED_PATHS = frozenset({"/v1/health", "/v1/health/live", "/v1/health/ready", "/v1/health/startup"})
