"""Every Prometheus metric of the platform, declared once. Names follow the predecessor where it had one (unit in the
name, no tenant label: its cardinality is unbounded)."""

from prometheus_client import Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

HTTP_REQUESTS = Counter("http_requests_total", "HTTP requests answered.", ["method", "path", "status"])
HTTP_DURATION = Histogram(
    "http_request_duration_seconds", "Seconds to answer.", ["method", "path"], buckets=LATENCY_BUCKETS_S
)
JOB_CREATED = Counter("job_create_total", "Jobs accepted.", ["type"])
JOB_CANCELS = Counter("job_cancel_total", "Cancellations asked for.")
JOBS_ENDED = Counter("background_jobs_total", "Jobs that ended, by type and outcome.", ["job", "status"])
JOB_QUEUE_LATENCY = Histogram(
    "background_job_queue_seconds",
    "Seconds from acceptance to the first start.",
    ["job"],
    buckets=LATENCY_BUCKETS_S,
)
JOB_DURATION = Histogram(
    "background_job_duration_seconds", "Seconds from start to end.", ["job"], buckets=LATENCY_BUCKETS_S
)
JOBS_RUNNING = Gauge("background_jobs_running", "Jobs in hand in this process.")
JOBS_RESCUED = Counter("jobs_rescued_total", "Jobs taken from a worker that lost its lease.", ["outcome"])
JOBS_REHINTED = Counter("jobs_rehinted_total", "Queued jobs whose id had fallen out of Redis and was pushed again.")
QUEUE_REJECTED = Counter("jobs_queue_rejected_total", "Things on a job queue that were no job.", ["reason"])
STALE_WRITES = Counter("jobs_stale_writes_total", "Writes refused because the lease had passed on.")
LEDGER_BATCH = Histogram("jobs_ledger_batch_size", "Operations committed together.", buckets=(1, 2, 4, 8, 16, 32, 64))
SSE_ACTIVE = Gauge("sse_connections_active", "Open event streams.", ["transport"])
SSE_RESUMES = Counter("sse_resume_hits_total", "Streams resumed after an event id.")
SSE_GAPS = Counter("sse_gap_events_total", "Reads that the Redis ring could not serve and PostgreSQL did.")
SSE_HEARTBEATS = Counter("sse_heartbeat_total", "Keep-alive comments sent.")
SSE_TERMINAL = Counter("sse_terminal_events_total", "Streams that ended with the job's end.")
SSE_SLOW_CLOSED = Counter("sse_slow_clients_closed_total", "Streams closed because the client did not read.")
REDIS_ERRORS = Counter("redis_connection_errors_total", "Failed calls to Redis.", ["where"])
IDEMPOTENCY_CHECKS = Counter("idempotency_checks_total", "Idempotency keys looked at, by outcome.", ["outcome"])
RATE_LIMIT_CHECKS = Counter(
    "rate_limit_checks_total", "Requests held against their limits, by who counted.", ["backend", "allowed"]
)
RATE_LIMIT_EXCEEDED = Counter("rate_limit_exceeded_total", "Requests refused, by the limit that refused.", ["scope"])
LOG_LINES_DROPPED = Counter("log_lines_dropped_total", "Log lines nobody could take in time.")
AUDIT_DROPPED = Counter("audit_dropped_total", "Noted audit rows that could not be kept, by why.", ["reason"])
PII_REDACTED = Counter("pii_redacted_total", "Values replaced in answers and streams, by kind.", ["kind"])
LLM_CALLS = Counter("agent_llm_calls_total", "Calls to language models, by how they ended.", ["model", "status"])
LLM_DURATION = Histogram(
    "agent_llm_duration_seconds", "Seconds from request to whole answer.", ["model"], buckets=LATENCY_BUCKETS_S
)
LLM_FIRST_TOKEN = Histogram(
    "agent_llm_first_token_seconds", "Seconds from request to first text.", ["model"], buckets=LATENCY_BUCKETS_S
)
LLM_TOKENS = Counter("agent_llm_tokens_total", "Tokens in and out.", ["model", "token_type"])
LLM_COST = Counter("agent_llm_cost_usd_total", "Money spent, US dollars.", ["model"])
LLM_ATTEMPTS = Counter(
    "agent_llm_attempts_total", "Single tries at providers, by how they ended.", ["provider_type", "outcome"]
)
LLM_FALLBACKS = Counter("agent_llm_fallbacks_total", "Calls that another than the first model answered.", ["reason"])
LLM_BUDGET_REFUSALS = Counter("agent_llm_budget_refusals_total", "Calls refused because a budget was spent.", ["scope"])
LLM_HOLDS_LOST = Counter("agent_llm_holds_lost_total", "Calls whose process died; what was held counts as spent.")
TOOL_INVOCATIONS = Counter(
    "tools_invocations_total", "Tools that were run, by how it ended.", ["tool_name", "door", "status"]
)
TOOL_DURATION = Histogram(
    "tools_invocation_duration_seconds", "Seconds from call to outcome.", ["tool_name"], buckets=LATENCY_BUCKETS_S
)
TOOL_REFUSALS = Counter("tools_refusals_total", "Calls of tools that were refused, by why.", ["code"])
CIRCUIT_MOVES = Counter("llm_circuit_transitions_total", "Moves of circuit breakers.", ["to"])
WARM_UPS = Counter("model_warmup_total", "Warm-ups of models, by outcome.", ["outcome"])
WARM_UP_DURATION = Histogram("model_warmup_duration_seconds", "Seconds of a warm-up.", buckets=LATENCY_BUCKETS_S)
DEFAULTS_CACHE = Counter(
    "dmr_cache_lookups_total",
    "Look-ups of default models, one a scope, by where the answer was: redis, database.",
    ["found_in"],
)
GRAPH_DURATION = Histogram(
    "graph_query_duration_seconds",
    "Seconds of a call of the graph, by kind and how it ended.",
    ["kind", "outcome"],
    buckets=LATENCY_BUCKETS_S,
)
GRAPH_ROWS = Counter("graph_rows_total", "Rows that the graph answered.", ["kind"])
GRAPH_REFUSED = Counter("graph_results_refused_total", "Answers thrown away: they held what is not the caller's.")
GATE_REFUSALS = Counter("graph_gate_refusals_total", "Queries that the gate refused, by layer.", ["layer"])
GRAPH_TERMINATED = Counter("graph_queries_terminated_total", "Queries ended on the server, by why.", ["reason"])
RUNS_CREATED = Counter("agent_runs_accepted_total", "Runs accepted.")
RUNS_ENDED = Counter("agent_runs_total", "Runs that ended.", ["status"])
RUN_FAILURES = Counter("agent_run_failures_total", "Runs that failed, by why.", ["failure_type"])
RUN_DURATION = Histogram(
    "agent_run_duration_seconds", "Seconds from a run's start to its end.", ["status"], buckets=LATENCY_BUCKETS_S
)
RUN_QUEUE_LATENCY = Histogram(
    "agent_run_queue_seconds", "Seconds from acceptance to the first start.", buckets=LATENCY_BUCKETS_S
)
RUNS_IN_HAND = Gauge("agent_active_runs", "Runs whose phase or step is under way in this process.")
RUN_PHASE_DURATION = Histogram(
    "agent_phase_duration_seconds", "Seconds of a phase.", ["phase", "outcome"], buckets=LATENCY_BUCKETS_S
)
RUN_STEP_DURATION = Histogram(
    "agent_step_duration_seconds", "Seconds of a step.", ["action", "status"], buckets=LATENCY_BUCKETS_S
)
RUN_STEP_FAILURES = Counter("agent_step_failures_total", "Steps that failed.", ["action"])
RUN_STEPS_REUSED = Counter("agent_steps_reused_total", "Steps that a resumed run took from an earlier attempt.")
RUN_TODOS = Histogram("agent_todos_count", "Items of a plan.", buckets=(0, 1, 2, 3, 5, 8, 13, 21, 34, 64))
RUNS_RESCUED = Counter("agent_runs_rescued_total", "Runs taken from a worker that lost its lease.", ["outcome"])
RUNS_RESENT = Counter("agent_runs_resent_total", "Runs whose next task had fallen out of Redis and was sent again.")
RUN_RETRIES = Counter("agent_run_retries_total", "Phases tried again after a failure that may pass.", ["reason"])
RUN_RESUMES = Counter("agent_run_resumes_total", "Runs that somebody resumed.")
RUN_CANCELS = Counter("agent_run_cancel_total", "Cancellations of runs asked for.")
RUN_STALE_WRITES = Counter("agent_runs_stale_writes_total", "Moves refused because the lease had passed on.")
