"""Every Redis key of the platform: its name, type, content, time to live, writer, reader, and what its loss costs.

The names are SPEC 9.2's. docs/reference/redis-keys.md is generated from this table. A key literal anywhere else fails
a test. Redis may be emptied at any moment: the last column says why nothing is lost.
"""

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True)
class Key:
    """A family of keys. Call it with the parts of the name: ``JOBS_STATE(id=job_id)``."""

    pattern: str
    kind: str
    content: str
    ttl_s: int | None
    writer: str
    reader: str
    if_lost: str

    def __call__(self, **parts: object) -> str:
        return self.pattern.format(**parts)


JOBS_QUEUE = Key(
    "jobs:queue:{type}",
    "LIST",
    "Bare job ids. LPUSH puts, BRPOP's end (right) takes: first in, first out. Ids going back are RPUSHed.",
    None,
    "API (apps/jobs/mirror.py), sweeper, any program",
    "workers/transport.py, any program",
    "The sweeper pushes every queued row again within 3 s.",
)
JOBS_QUEUE_HIGH = Key(
    "jobs:queue:{type}:high",
    "LIST",
    "As jobs:queue:{type}, for jobs with priority > 0; taken first.",
    None,
    "as jobs:queue:{type}",
    "workers/transport.py",
    "As jobs:queue:{type}.",
)
JOBS_DEAD = Key(
    "jobs:dead",
    "LIST",
    "JSON {queue, item, reason, at} of what was on a job queue and is no job; the last 1,000.",
    30 * DAY_S,
    "workers/transport.py, workers/engine",
    "operators",
    "Only evidence is lost; the counter jobs_queue_rejected_total stays.",
)
JOBS_STATE = Key(
    "jobs:state:{id}",
    "HASH",
    "status, type, owner_sub, tenant_id, last_seq, attempt, worker_id, progress, updated_at.",
    7 * DAY_S,
    "apps/jobs/mirror.py after each commit (enqueue_job.lua at first)",
    "cancel script, foreign programs",
    "Rewritten at the job's next event; readers fall back to PostgreSQL.",
)
JOBS_EVENTS = Key(
    "jobs:events:{id}",
    "LIST",
    "Ring of the job's last 1,000 events, JSON {seq_id, event_type, event_json, created_at}, RPUSHed in order.",
    DAY_S,
    "apps/jobs/mirror.py after each commit",
    "streams (apps/jobs/feed.py)",
    "Streams read job_events in PostgreSQL instead.",
)
JOBS_CANCEL = Key(
    "jobs:cancel:{id}",
    "STRING",
    '"1": the running job was asked to stop.',
    3600,
    "kernel/lua/cancel_job.lua",
    "workers/engine (four times a second)",
    "The row's cancel_requested_at reaches the worker with its next heartbeat.",
)
RUNS_QUEUE = Key(
    "runs:queue",
    "LIST",
    "Celery messages for the tasks of agent runs, each with a run's id. Celery's own queue of that name.",
    None,
    "workers (Celery), API and sweeper (apps/agents/runs/dispatch.py)",
    "workers",
    "The sweeper sends the next task of every run that nobody holds again within 3 s.",
)
RUNS_EVENTS = Key(
    "runs:events:{id}",
    "LIST",
    "Ring of the agent run's last 1,000 events, as jobs:events:{id}.",
    DAY_S,
    "apps/agents/runs/mirror.py after each commit",
    "streams (apps/jobs/feed.py)",
    "Streams read run_events in PostgreSQL instead.",
)
IDEMPOTENCY = Key(
    "idempotency:{key}",
    "STRING",
    "Job id made for an Idempotency-Key; {key} is SHA-256 of tenant, caller, method, route and the header.",
    DAY_S,
    "API after commit",
    "foreign programs; the API asks the row in idempotency_keys, which decides",
    "The row in PostgreSQL answers.",
)
SESSION = Key(
    "session:{id}",
    "STRING",
    '"<version>:<JSON of the session>", signed: what anybody else writes is not read.',
    60,
    "apps/agents/sessions/cache.py after each commit",
    "GET /v1/sessions/{id}",
    "The next read takes the row and writes it again.",
)
TENANT_CONFIG = Key(
    "tenant:config:{id}",
    "STRING",
    '"<version>:<JSON {cached_at, config}>", signed: status, quotas, limits, flags, default model, PII mode.',
    300,
    "apps/tenancy/resolver.py after each commit and each miss",
    "apps/tenancy/resolver.py, every half minute a process; old versions are not believed",
    "The next request takes the row and writes it again.",
)
_WINDOW = "Requests of the last minute in slots of 5 s: {owner}now the latest and the sum, {owner}{0..12} the others."
_WINDOW_LOST = "Counting begins anew; while Redis is away each process counts its share by itself."
_LIMITER = "kernel/lua/sliding_window.lua (apps/edge/rate_limit.py)"
RATELIMIT_USER = Key(
    "ratelimit:user:{sub}",
    "HASH",
    _WINDOW + " {owner} is the end of the tenant's id: a sub is counted for each tenant apart. A sub of unusual"
    " characters stands as sha256:{32 hexadecimal digits}.",
    65,
    _LIMITER,
    "the same script",
    _WINDOW_LOST,
)
RATELIMIT_TENANT = Key("ratelimit:tenant:{id}", "HASH", _WINDOW, 65, _LIMITER, "the same script", _WINDOW_LOST)
RATELIMIT_TENANT_DAY = Key(
    "ratelimit:tenant:{id}:day",
    "HASH",
    "Requests of the last 24 hours, as counts of an hour; only for tenants with quotas.requests_per_day.",
    90_000,
    _LIMITER,
    "the same script",
    _WINDOW_LOST,
)
RATELIMIT_TOOL = Key(
    "ratelimit:tool:{tool}:{caller}",
    "HASH",
    "One caller's calls of a tool in a window that its manifest or the tenant's policy says; {caller} is a digest of "
    "tenant, sub and the window's length.",
    None,
    _LIMITER,
    "the same script",
    _WINDOW_LOST,
)
RATELIMIT_USER_RUNS = Key(
    "ratelimit:user:{sub}:runs",
    "HASH",
    "Runs of agents that a caller started or resumed in the last minute; otherwise as ratelimit:user:{sub}.",
    65,
    _LIMITER,
    "the same script",
    _WINDOW_LOST,
)
RATELIMIT_TENANT_RUNS = Key(
    "ratelimit:tenant:{id}:runs",
    "HASH",
    "Runs of agents that a tenant's callers started or resumed in the last hour, as counts of five minutes.",
    3900,
    _LIMITER,
    "the same script",
    _WINDOW_LOST,
)
RATELIMIT_ENDPOINT = Key(
    "ratelimit:endpoint:{method}:{path}",
    "HASH",
    _WINDOW + " {path} is the route's template, never what was asked for; all unknown paths share `unmatched`.",
    65,
    _LIMITER,
    "the same script",
    _WINDOW_LOST,
)
RATELIMIT_ADDRESS = Key(
    "ratelimit:address:{address}",
    "HASH",
    _WINDOW + " Refused tokens and calls without one, by client address (IPv6: by /64).",
    65,
    "kernel/lua/sliding_window.lua (apps/edge/rate_limit.py, refusals.py; apps/backoffice/sign_in_limit.py)",
    "the same script",
    _WINDOW_LOST,
)
MODEL_DEFAULTS = Key(
    "model:defaults:{id}",
    "STRING",
    '"<version>:<JSON {instance_id}>", signed. {id}: `global`, a tenant\'s id, or'
    " <tenant>:<32 digits of sub's sha256>.",
    900,
    "apps/llm/defaults.py after each commit and each miss",
    "apps/llm/defaults.py, for requests that name no model",
    "The next request takes the row and writes it again.",
)
CIRCUIT = Key(
    "circuit:{provider}",
    "HASH",
    "state (CLOSED, OPEN, HALF_OPEN), failures, successes, opened_at_ms, probe, probe_until_ms, epoch."
    " {provider}: its id.",
    DAY_S,
    "kernel/lua/circuit.lua (apps/llm/circuits.py)",
    "the same script, health, metrics",
    "All providers count as healthy again; while Redis is away each process counts by itself.",
)
CIRCUIT_SLOTS = Key(
    "circuit:{provider}:slots",
    "ZSET",
    "A member for each call under way, scored with when it ends at the latest (ms).",
    700,
    "kernel/lua/circuit.lua",
    "the same script",
    "Calls under way are forgotten: for their length a provider may get more than its limit.",
)
PROVIDER_HEALTH = Key(
    "provider:health:{provider}",
    "STRING",
    "JSON {ok, reachable, status_code or error, latency_ms, checked_at} of the last look at the provider.",
    120,
    "apps/llm/monitoring.py, once a minute",
    "GET /v1/admin/models/providers, health, Django admin",
    "Shown as unknown until the next look.",
)
TOOLS_CACHE = Key(
    "tools:cache:{tenant}:{key}",
    "STRING",
    "A value that a tenant's tools keep, JSON, signed for this key. {key}: its caller's text, never a pattern.",
    7 * DAY_S,
    "kernel/lua/tool_cache.lua (apps/tenancy/tool_cache.py)",
    "the same script: cache.get and cache.manage",
    "A miss, as after its time to live.",
)
TOOLS_CACHE_KEYS = Key(
    "tools:cache:keys:{tenant}",
    "ZSET",
    "The texts of the tenant's keys, scored with when each expires (ms).",
    7 * DAY_S + 3600,
    "as tools:cache:{tenant}:{key}",
    "the same script, lists and prefixes",
    "With it go the tenant's values: what it does not name is not there.",
)
TOOLS_CACHE_SIZES = Key(
    "tools:cache:sizes:{tenant}",
    "HASH",
    "The bytes of each of the tenant's keys and, under the empty text, their sum.",
    7 * DAY_S + 3600,
    "as tools:cache:{tenant}:{key}",
    "the same script",
    "As tools:cache:keys:{tenant}.",
)
KEYS = (
    JOBS_QUEUE, JOBS_QUEUE_HIGH, JOBS_DEAD, JOBS_STATE, JOBS_EVENTS, JOBS_CANCEL, RUNS_QUEUE, RUNS_EVENTS, IDEMPOTENCY,
    SESSION, TENANT_CONFIG,
    RATELIMIT_USER, RATELIMIT_USER_RUNS, RATELIMIT_TENANT, RATELIMIT_TENANT_RUNS, RATELIMIT_TENANT_DAY,
    RATELIMIT_ENDPOINT, RATELIMIT_ADDRESS, RATELIMIT_TOOL,
    MODEL_DEFAULTS, CIRCUIT, CIRCUIT_SLOTS, PROVIDER_HEALTH, TOOLS_CACHE, TOOLS_CACHE_KEYS, TOOLS_CACHE_SIZES,
)  # fmt: skip

# Publish/subscribe: not keys, nothing is kept. Streams join this Channels group once per process.
WAKE_GROUP = "jobs.wake"
