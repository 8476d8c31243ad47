"""Every number a product owner may ask about, with its unit; docs/reference/settings.md lists them."""

from config.env import env

# Leases (docs/architecture.md, "Nothing is lost")
LEASE_S = env.number("AGENTIC_LEASE_S", 10.0, "Seconds a worker owns a job after its last heartbeat.", 1.0)
SELF_FENCE_SHARE = 0.7  # of the lease: without a renewal for this long, stop before somebody else starts
HEARTBEAT_S = env.number("AGENTIC_HEARTBEAT_S", 2.5, "Seconds between two heartbeats of a worker.", 0.1)
SWEEP_S = env.number("AGENTIC_SWEEP_S", 1.0, "Seconds between two rounds of the sweeper.", 0.05)
SWEEPER_ENABLED = env.flag("AGENTIC_SWEEPER_ENABLED", True, "Off only to show that jobs are then lost.")
FENCING_ENABLED = env.flag("AGENTIC_FENCING_ENABLED", True, "Off only to show that effects then double.")
MAX_ATTEMPTS = env.integer("AGENTIC_MAX_ATTEMPTS", 3, "Times a job may lose its worker before it is failed.", 1, 100)
CANCEL_GRACE_S = env.number("AGENTIC_CANCEL_GRACE_S", 8.0, "Seconds a handler may ignore a cancellation.", 1.0)
WORKER_CONCURRENCY = env.integer("AGENTIC_WORKER_CONCURRENCY", 32, "Jobs one worker process runs at once.", 1, 512)
SHUTDOWN_GRACE_S = env.number("AGENTIC_SHUTDOWN_GRACE_S", 20.0, "Seconds a warm shutdown waits for jobs in hand.", 0.0)

# The wire
MAX_BODY_BYTES = env.integer("AGENTIC_MAX_BODY_BYTES", 1_048_576, "Largest request body, bytes.", 1024)
REQUEST_ARRIVAL_S = env.number(
    "AGENTIC_REQUEST_ARRIVAL_S", 20.0, "Seconds a request's headers, and then its body, may take to arrive.", 0.1
)
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
IDEMPOTENCY_TTL_S = env.integer("AGENTIC_IDEMPOTENCY_TTL_S", 86_400, "Seconds an Idempotency-Key is remembered.", 60)
SSE_HEARTBEAT_S = env.number("AGENTIC_SSE_HEARTBEAT_S", 15.0, "Seconds between comments on an idle stream.", 0.1)
SSE_SEND_TIMEOUT_S = env.number("AGENTIC_SSE_SEND_TIMEOUT_S", 30.0, "Seconds a client may refuse to read.", 0.1)
STREAMS_PER_PRINCIPAL = env.integer(
    "AGENTIC_STREAMS_PER_PRINCIPAL", 2000, "Open streams one caller may hold per process.", 1
)

# Redis (a key's own limits stand in kernel/redis_keys.py)
EVENT_RING_LENGTH = 1000

# PostgreSQL
DB_POOL_MAX_CONNECTIONS = env.integer("AGENTIC_DB_POOL_MAX", 10, "Connections of one process to PostgreSQL.", 1, 500)
DB_POOL_WAIT_S = env.number("AGENTIC_DB_POOL_WAIT_S", 0.45, "Seconds to wait for a connection before 503.", 0.05)

# Runs of agents (docs/runs.md)
RUN_LIMIT_S = env.number("AGENTIC_RUN_LIMIT_S", 3600.0, "Seconds a run may take from its first start to its end.", 1.0)
RUN_TRIES = env.integer("AGENTIC_RUN_TRIES", 3, "Times a step is tried that fails in a way that may pass.", 1, 20)
RUN_STEPS_MAX = env.integer(
    "AGENTIC_RUN_STEPS_MAX", 25, "Steps a run takes at most, whatever its agent or request asks for.", 1, 64
)
RUN_TOOL_CALLS = env.integer(
    "AGENTIC_RUN_TOOL_CALLS", 32, "Calls of tools and of the graph in a run whose budget does not say.", 0, 100_000
)
ANSWER_LINK_HOSTS = env.items(
    "AGENTIC_ANSWER_LINK_HOSTS",
    "doi.org,*.doi.org,ncbi.nlm.nih.gov,*.ncbi.nlm.nih.gov,*.uniprot.org,*.ensembl.org,*.ebi.ac.uk,*.rcsb.org",
    "Hosts where links in agents' answers may lead, besides those that the person names; *.example.org: below it.",
)
RUN_DB_CONNECTIONS = env.integer(
    "AGENTIC_RUN_DB_CONNECTIONS", 8, "Connections one worker process uses to claim runs and move them on.", 1, 100
)

# Tools (docs/tools.md)
TOOLS_READ_ONLY = env.flag("AGENTIC_TOOLS_READ_ONLY", False, "Safe mode: no tool may change anything, for anybody.")
TOOLS_CALLS_PER_CALLER = env.integer(
    "AGENTIC_TOOLS_CALLS_PER_CALLER", 8, "Tools that one API process runs at once for one caller, over REST and /mcp.",
    1, 1000,
)  # fmt: skip
TOOLS_CACHE_KEYS = env.integer("AGENTIC_TOOLS_CACHE_KEYS", 2000, "Keys a tenant may keep with cache.set.", 1, 10_000)
TOOLS_CACHE_BYTES = env.integer("AGENTIC_TOOLS_CACHE_BYTES", 16_777_216, "Bytes of them together.", 1024)

# Sessions of agents
SESSION_IDLE_S = 24 * 3600  # an active session ends when nothing happened in it for this long

# Retention
SESSION_WINDOW_TOKENS = 4000  # of a session's latest lines that a prompt carries; older ones are in its summary
SESSION_RETENTION_DAYS = 90  # an ended session and its steps
JOB_RETENTION_DAYS = env.integer(
    "AGENTIC_JOB_RETENTION_DAYS", 30, "Days an ended job, or an ended run of an agent, is kept.", 1
)

# Tests only; refused in production
FAILPOINT = env.text("AGENTIC_FAILPOINT", "", "name:exit|pause: die or stop at that line. Refused in production.")
