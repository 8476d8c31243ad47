"""What the platform promises: id -> (where the promise is made, the promise in one sentence).

A test of a promise carries ``@pytest.mark.requirement("id")``; tests/architecture/test_requirements.py holds the two
against each other. SPEC is the specification; "contract" the predecessor's wire contract; P and R are the promises and
rules of the engine; "security" the list of attacks, by number.
"""

EDGE = {
    "edge:trace": ("SPEC 2.2", "Every answer carries the request's id and correlation id."),
    "edge:content-type": ("SPEC 2.6", "A body that is not JSON is refused with 415."),
    "edge:body-size": (
        "SPEC 2.6",
        "A body above the limit is refused with 413, whether its length was declared or not.",
    ),
    "edge:depth": ("SPEC 2.6", "A body nested too deeply is refused before it is parsed."),
    "edge:host": ("SPEC 2.6", "Only the configured host names are answered."),
    "edge:errors": ("SPEC 2.8", "Every error is problem+json with the right status and nothing of the inside."),
}

IDENTITY = {
    "identity:me": ("SPEC 3", "GET /v1/auth/me says who the caller is."),
    "identity:principal": ("SPEC 1.1", "A verified token becomes a frozen principal."),
    "identity:401-malformed": (
        "SPEC 2.3",
        "A malformed, unsigned or wrongly signed token is a 401 that does not say why.",
    ),
    "identity:audience": ("SPEC 1.1", "A token for another audience is refused."),
    "identity:times": ("SPEC 1.1", "exp, nbf and iat are checked."),
    "identity:algorithms": ("SPEC 2.3", "RS256, RS384 and RS512 are taken, and nothing else."),
    "identity:token-type": ("RFC 8725", "An ID token or refresh token is no access token."),
    "identity:jwks": ("SPEC 1.1", "Keys come from the issuer's JWKS and are kept for a while."),
    "identity:key-rotation": ("SPEC 1.1", "Keys rotate without downtime."),
    "identity:unknown-kid-flood": ("SPEC 1.1", "Tokens with unknown keys cannot make the platform flood the issuer."),
    "identity:idp-down": ("SPEC 1.1", "Known keys serve while the issuer is away."),
    "identity:replaceable-issuer": ("SPEC 1.1", "Two settings replace the built-in issuer by another."),
    "identity:query-token": ("RFC 9700", "A token in the address is refused."),
    "identity:no-cookies": ("SPEC 2.3", "No cookie authenticates a call of the API."),
    "identity:default-deny": ("SPEC 2.3", "What is not declared public needs a token."),
    "identity:revocation": ("SPEC 1.1", "Tokens of disabled users and tenants, and revoked ones, stop working."),
    "identity:database-down": ("P28", "The last known standing of users serves while the database is away."),
    "identity:fast": ("SPEC 2.3", "Verifying a token seen before costs microseconds."),
    "identity:memory": ("SPEC 2.3", "What is remembered of tokens is bounded."),
    "identity:timing": ("security 23", "A sign-in takes as long for an unknown name as for a wrong password."),
    "identity:discovery": ("SPEC 1.1", "The built-in issuer describes itself."),
    "identity:sign-in": ("SPEC 1.1", "A user signs in and gets a token that the API takes."),
    "identity:access-token-claims": ("SPEC 1.1", "Access tokens carry tenant_id, sub, roles, scopes, exp and iat."),
    "identity:scopes-by-role": ("SPEC 2.3", "Nobody gets a scope that no role of theirs has."),
    "identity:roles-schema": ("SPEC 2.3", "The roles and their scopes are one table."),
    "identity:pkce": ("RFC 9700", "The authorization code needs PKCE with S256."),
    "identity:refresh": ("SPEC 1.1", "Refresh tokens rotate, and a reused one takes its family with it."),
    "identity:introspection": ("RFC 7662", "A confidential client may ask whether a token is valid."),
    "identity:csrf": ("RFC 9700", "Forms of the issuer cannot be sent from elsewhere."),
    "identity:stored-tokens": ("RFC 9700", "Tokens are stored hashed."),
    "identity:keys-private": ("SPEC 1.1", "Private keys are readable by their owner only and are never shown."),
    "identity:token-command": ("issue 2", "manage.py token prints a token for scripts."),
    "identity:demo-seed": ("issue 2", "The demo data is made once, and never in production."),
}

TENANCY = {
    "tenancy:isolation": ("SPEC 2.5", "Raw SQL as one tenant neither sees nor touches another's rows."),
    "tenancy:fail-closed": ("SPEC 2.5", "Without a tenant there are no rows."),
    "tenancy:every-table": (
        "SPEC 2.5",
        "Every table is fenced, closed to the application, or shared for a stated reason.",
    ),
    "tenancy:composite-key": ("security 29", "A row cannot point at another tenant's row."),
    "tenancy:roles": ("security 124", "No role of the platform owns a table, bypasses the fence or can open it."),
    "tenancy:pooled-connection": ("security 33", "A pooled connection forgets the tenant with the transaction."),
    "tenancy:names-unique": ("SPEC 9.1", "A tenant's slug and name are unique in any case."),
    "tenancy:status": ("SPEC 9.1", "A suspended tenant is not active."),
}

JOBS = {
    "jobs:create": ("SPEC 5", "POST /v1/jobs answers 202 with the job and its Location."),
    "jobs:create-refusals": ("contract 1.4", "Each refusal of a job says what was wrong, and where in the schema."),
    "jobs:priority": ("issue 2", "A job of priority above 0 is taken before the others."),
    "jobs:idempotency": ("SPEC 5", "One Idempotency-Key makes one job, and repeats get the same answer byte for byte."),
    "jobs:idempotency-scope": ("security 127", "A key belongs to its tenant, caller and route."),
    "jobs:idempotency-in-progress": ("issue 2", "While the first request is being answered the second gets 409."),
    "jobs:idempotency-keys": ("security 128", "A key has 1 to 255 printable characters."),
    "jobs:idempotency-expiry": ("SPEC 5", "A key is forgotten after 24 hours."),
    "jobs:list": ("contract 2.2", "GET /v1/jobs shows the caller's jobs, by status and type."),
    "jobs:pages": ("contract 2.2", "Pages show each job once; their tokens are worth nothing to others."),
    "jobs:read": ("contract 2.2", "GET /v1/jobs/{id} shows everything about a job on one line."),
    "jobs:etag": ("SPEC 4", "A job has a strong ETag; a client that holds it gets 304."),
    "jobs:own-only": ("security 23", "Another's job looks like one that never was."),
    "jobs:admin": ("contract 1.6", "An administrator sees all jobs of the own tenant."),
    "jobs:types": ("contract 1.6", "GET /v1/jobs/types shows the schemas that check payloads."),
    "jobs:stats": ("contract 1.6", "GET /v1/jobs/stats counts the caller's jobs."),
    "jobs:cancel": ("SPEC 4", "DELETE is 202 while a job lives and 200 once it has ended."),
    "jobs:cancel-queued": ("P6", "A cancelled queued job never starts."),
    "jobs:cancel-running": ("P6", "A cancelled running job stops within a second."),
    "jobs:cancel-flag": ("SPEC 4", "Cancelling sets jobs:cancel:{id} by a Lua script, unless the job has ended."),
    "jobs:retry": ("contract 1.6", "An ended job can run again as a new one."),
    "jobs:dead-letters": ("P7", "A job that kills its workers is failed as poison and waits for an operator."),
    "jobs:lifecycle": ("SPEC 10", "A job goes from queued to running to its end, and says so in its events."),
    "jobs:progress": ("SPEC 6.1", "Progress is {stage, message, percent}, at most ten a second."),
    "jobs:handlers": ("contract 2.4", "Each job type does what it says, and its result has the promised shape."),
    "jobs:state-machine": ("SPEC 6.1", "The database refuses every move outside the state machine."),
    "jobs:one-end": ("R11", "A job has one terminal event, equal to its status."),
    "jobs:fencing": ("R5", "A write with an old token matches nothing."),
    "jobs:rescue": ("R5, P7", "A lease that ran out requeues its job; only a worker's fault counts as a crash."),
}

QUEUE = {
    "queue:bare-ids-in": ("SPEC 9.2", "A job id that any program LPUSHes is run once."),
    "queue:bare-ids-out": ("SPEC 9.2", "What the API enqueues is a bare id that any program can BRPOP."),
    "queue:celery": ("issue 2", "Celery programs, ours and others', can send a job's id."),
    "queue:garbage": ("issue 2", "What is no job is kept aside and counted, and stops nothing."),
    "queue:order": ("SPEC 9.2", "Ids are taken in the order they were put, as many as there is room for."),
    "queue:transport-refuses": ("issue 2", "What a bare id cannot carry is refused when it is sent."),
    "queue:stock": ("issue 2", "All other queues are stock Celery."),
    "queue:kombu-pin": ("issue 2", "A kombu whose internals moved is noticed."),
    "queue:mirror": ("SPEC 9.2", "jobs:state:{id} and jobs:events:{id} show the job, with a time to live."),
    "queue:wakeups": ("R19", "Processes without an event loop can wake the streams."),
}

STREAMS = {
    "streams:sse": ("SPEC 6.2", "GET /v1/jobs/{id}/events streams 1..n, live, and closes after the end."),
    "streams:resume": ("P10", "A client resumes after the last event it has seen."),
    "streams:reset": ("R19", "An id the job never had is answered by an explicit reset."),
    "streams:ring-or-rows": ("SPEC 6.2", "Events come from Redis while it holds them, else from PostgreSQL."),
    "streams:lost-wake-up": ("R19", "A lost wake-up costs a delay and never an event."),
    "streams:restart": ("P9", "A stream survives its server by going on at another."),
    "streams:heartbeat": ("issue 2", "An idle stream shows that it lives."),
    "streams:expiry": ("P13", "A stream ends with its token."),
    "streams:refusals": ("contract 2.6", "Who may not have a stream is told so as by any other route."),
    "streams:injection": ("security 134", "No text of an event can make another event."),
    "streams:one-subscription": ("R19", "A process subscribes to Redis once, however many clients it has."),
    "streams:limit": ("security 133", "A caller may hold a limited number of streams."),
    "streams:slow-client": ("P11", "A client that does not read costs bounded memory for a bounded time."),
    "streams:websocket": ("P13", "A websocket brings the same events with the same resume."),
    "streams:websocket-refusals": ("P13", "Websockets are refused by 4401, 4404, 4400, and by Origin."),
    "streams:page": ("issue 2", "?format=json gives the events as a page."),
}

OPS = {
    "ops:live": ("SPEC 13", "Liveness looks at no dependency."),
    "ops:ready": ("SPEC 13", "Readiness and start-up list their checks."),
    "ops:components": ("SPEC 13", "Each component shows its state, and no secret."),
    "ops:degraded": ("P27", "Without Redis the API is degraded, and jobs are accepted, run and streamed."),
    "ops:metrics": ("SPEC 13", "The API and the workers show metrics, none with a label without bounds."),
    "ops:index": ("contract 1.1", "/v1/ names the version and where the documentation is."),
    "ops:docs": ("contract 1.1", "The API's documentation is served, complete and consistent."),
}

ROLES: dict[str, tuple[str, str]] = {}

LIMITS: dict[str, tuple[str, str]] = {}

TRACE: dict[str, tuple[str, str]] = {}

GUARDS: dict[str, tuple[str, str]] = {}

AUDIT: dict[str, tuple[str, str]] = {}

TENANTS: dict[str, tuple[str, str]] = {}

SESSIONS: dict[str, tuple[str, str]] = {
    "sessions:create": ("contract 3.5", "POST /v1/sessions begins a session and answers 201 with its Location."),
    "sessions:idempotency": ("contract 1.6", "A repeat with the same Idempotency-Key is the same session or step."),
    "sessions:list": ("contract 1.6", "GET /v1/sessions shows the caller's own, page by page."),
    "sessions:read": ("contract 3.5", "GET /v1/sessions/{id} has an ETag and answers 304 to who holds it."),
    "sessions:cancel": ("contract 1.6", "DELETE ends a session, twice without harm, and nothing is added to it after."),
    "sessions:steps": ("contract 3.5", "Steps are numbered from 1 without a gap, whoever adds them at once."),
    "sessions:own-only": ("security 23", "Another's session looks like one that never was."),
    "sessions:roles": ("security 46", "A session's agent_role is one of the caller's own roles."),
    "sessions:cache": ("SPEC 9.2", "session:{id} shows the session to the API, and a forged one is not believed."),
    "sessions:expiry": ("SPEC 12", "A session that is idle too long ends, and an ended one is deleted in time."),
    "sessions:predecessor": ("contract 1.6", "/v1/agents/sessions is the same resource."),
}

ADMIN: dict[str, tuple[str, str]] = {}

OPENAPI: dict[str, tuple[str, str]] = {}

# Numbered attacks: what the platform answers to each.
SECURITY: dict[str, tuple[str, str]] = {}

AREAS = (
    EDGE, IDENTITY, TENANCY, JOBS, QUEUE, STREAMS, OPS,
    ROLES, LIMITS, TRACE, GUARDS, AUDIT, TENANTS, SESSIONS, ADMIN, OPENAPI, SECURITY,
)  # fmt: skip
REQUIREMENTS: dict[str, tuple[str, str]] = {name: promise for area in AREAS for name, promise in area.items()}
