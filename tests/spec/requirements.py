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

ROLES: dict[str, tuple[str, str]] = {
    "roles:matrix": ("SPEC 2.3", "Admin, operator, user and viewer have exactly their rows of SPEC's matrix."),
    "roles:seven": ("contract 6.1", "The other roles extend one of the four and have the contract's scopes too."),
    "roles:default-deny": ("R24", "A permission needs the role and the scope, and a refusal names both."),
    "roles:hierarchy": ("SPEC 2.3", "A scope covers those below it, in the predecessor's spellings too, and no other."),
    "roles:inferred": ("contract 6.3", "A token without roles has the role that its scopes amount to."),
    "roles:narrowed": ("SPEC 2.3", "A token may have fewer scopes than its bearer's role, and then opens less."),
    "roles:reasons": ("issue 3", "GET /v1/auth/permissions says what the caller may do, and why."),
    "roles:declared": ("issue 3", "Every route and method declares what it needs; what is not declared is refused."),
    "roles:routes": ("issue 3", "Every route answers every role as the table says."),
    "roles:audited": ("R39", "Every 401 and 403 leaves an audit line, without the token."),
    "roles:introspect": ("RFC 7662", "POST /v1/auth/introspect describes a token to those who may know about it."),
    "roles:tenant-issuer": ("R23", "A tenant may have its own issuer, which speaks for that tenant alone."),
    "roles:sign-in-limit": ("R33", "Guessing passwords and client secrets is slowed down, by account and by address."),
    "roles:detail": ("R36", "Health is public; its detail, and metrics in production, need a scope."),
}

LIMITS: dict[str, tuple[str, str]] = {
    "limits:exact": ("SPEC 2.4", "Of 2,000 concurrent requests exactly as many pass as the limit says."),
    "limits:window": ("SPEC 2.4", "No stretch of a window's length, wherever it begins, holds more than the limit."),
    "limits:atomic": ("SPEC 2.4", "A request that one limit refuses is counted by none."),
    "limits:tightest": ("issue 3", "The tightest limit is the one that is reported."),
    "limits:headers": ("SPEC 2.4", "Every answer to a caller says limit, rest, window and seconds to the reset."),
    "limits:refusal": ("SPEC 2.4", "A 429 says which limit, and when to come back; who then comes back passes."),
    "limits:roles": ("contract 6.1", "A caller has the limit of the highest of its roles."),
    "limits:overrides": ("issue 3", "A tenant's own limits, and those for single callers, go before the platform's."),
    "limits:owners": ("SPEC 2.4", "The same sub in two tenants is counted apart."),
    "limits:routes": ("SPEC 2.4", "A route is counted by its template, and unknown paths together."),
    "limits:probes": ("SPEC 13", "Probes are never refused."),
    "limits:addresses": ("issue 3", "Refused tokens and calls without one are counted by client address."),
    "limits:proxies": ("security 57", "X-Forwarded-For counts only when a trusted proxy sent it."),
    "limits:redis-down": ("R33", "Without Redis each process allows its share of a limit, and says so."),
    "limits:memory": ("security 58", "What is remembered of callers is bounded, in Redis and in the process."),
    "limits:day-quota": ("issue 3", "A tenant's requests of a day are bounded by its quota."),
    "limits:job-quota": ("issue 3", "A tenant has no more open jobs than its quota, and repeats are never refused."),
}

TRACE: dict[str, tuple[str, str]] = {
    "trace:cors-preflight": ("SPEC 2.1", "A preflight is answered without a token, for the configured origins only."),
    "trace:cors-answers": ("SPEC 2.1", "An allowed page can read answers, errors and the headers that matter."),
    "trace:cors-settings": ("issue 3", "Origins are exact, and * never goes together with credentials."),
    "trace:in-and-out": ("SPEC 2.2", "A valid traceparent is continued and tracestate carried; else a trace begins."),
    "trace:errors": ("SPEC 2.2", "Every error names its trace."),
    "trace:jobs": ("SPEC 2.2", "A job belongs to the trace of the request that made it, and so do its log lines."),
    "trace:tasks": ("issue 3", "A Celery task belongs to the trace of the request or job that sent it."),
    "trace:logs": ("issue 3", "Every log line within a request names the request and its trace."),
    "trace:spans": ("SPEC 2.2", "Recorded spans and bare ids are the same to everybody who reads them."),
    "trace:cost": ("issue 3", "The trace costs a request less than 60 microseconds."),
    "trace:streams": ("issue 3", "Streams pass the same layers as requests."),
    "trace:body-bytes": ("SPEC 2.6", "A body that is too large is refused before it is kept."),
    "trace:body-seconds": ("security 53", "Headers and bodies that dawdle are given up."),
}

GUARDS: dict[str, tuple[str, str]] = {
    "guards:kinds": ("SPEC 2.7", "Each kind of personal data and secret is found, in the shapes people write."),
    "guards:quality": ("SPEC 2.7", "98 % of the spans of the labelled sets are found, and nothing in other texts."),
    "guards:modes": ("contract 8.4", "mask, hash, remove and off do what they say."),
    "guards:names": ("contract 8.4", "What stands under a telling name is masked whatever it looks like."),
    "guards:stream": ("SPEC 2.7", "A match split over pieces of a stream is caught, wherever it was split."),
    "guards:events": ("SPEC 2.7", "Streams of events are scrubbed like answers."),
    "guards:answers": ("SPEC 2.7", "JSON answers carry no personal data that their route does not exist to show."),
    "guards:tenant-mode": ("issue 3", "A tenant's pii_mode decides what stands in place of personal data."),
    "guards:size": ("SPEC 2.7", "An answer above the limit is cut with a marker, or refused."),
    "guards:audit": ("SPEC 2.7", "Redactions of a route leave one audit line a second, with the correlation id."),
    "guards:cost": ("issue 3", "Scrubbing costs at most 1 ms per 4 kB of JSON."),
    "guards:injection": ("SPEC 2.6", "SQL, Cypher and shell are refused in names, and pass in free text."),
    "guards:address": ("SPEC 2.6", "Path and query are judged; a refusal names the part and does not repeat it."),
    "guards:bodies": ("SPEC 2.6", "Bodies have known fields of known kinds, and are read strictly."),
}

AUDIT: dict[str, tuple[str, str]] = {
    "audit:with-the-change": ("R39", "A change and its audit row commit together or not at all."),
    "audit:cross-tenant": ("R39", "Who acts on another tenant is named in that tenant's chain."),
    "audit:concurrent": ("R39", "Writers at the same time make one chain without a gap."),
    "audit:scrubbed": ("R38", "Audit rows hold no secret and are of bounded size."),
    "audit:notes": ("R39", "What changed nothing is noted without waiting, and survives a database that is away."),
    "audit:append-only": ("R39", "No role of the platform can change, delete or forge an audit row."),
    "audit:partitions": ("issue 3", "The audit log is partitioned by month."),
    "audit:verify": ("issue 3", "A chain can be proved, in whole or in part."),
    "audit:verify-finds": ("issue 3", "Edited, deleted, cut, swapped and planted rows are found at their first link."),
    "audit:verify-command": ("issue 3", "manage.py verify_audit names the first broken link."),
    "audit:list": ("issue 3", "GET /v1/admin/audit shows the tenant's log with filters and consistent pages."),
    "audit:readers": ("SPEC 2.3", "Auditors and administrators read their own tenant's log, nobody else does."),
    "audit:platform": ("issue 3", "Administrators of the platform read any chain, and that leaves a row in it."),
    "audit:export": ("issue 3", "The log is exported as NDJSON whose hashes can be made again elsewhere."),
    "audit:verify-route": ("issue 3", "GET /v1/admin/audit/verify proves the caller's chain."),
    "audit:jobs": ("R39", "An administrator who stops or repeats another's job leaves a row."),
    "audit:sign-in": ("R39", "A sign-in that failed leaves a row."),
}

TENANTS: dict[str, tuple[str, str]] = {
    "tenants:onboarding": ("issue 3", "One call makes a tenant with settings and first administrator, or nothing."),
    "tenants:validation": ("SPEC 2.6", "A wrong or unknown field of a tenant is refused by its path."),
    "tenants:list": ("contract 1.6", "Administrators of the platform see all tenants, everybody else the own one."),
    "tenants:rights": ("SPEC 2.3", "Quotas, status and the tenant's own rate are the platform's to set."),
    "tenants:locking": ("issue 3", "A tenant changes only as the version that If-Match names."),
    "tenants:merge": ("contract 1.6", "Changes of a tenant are merged member by member."),
    "tenants:audit": ("R39", "Every change of a tenant is on record with what changed."),
    "tenants:platform-tenant": ("issue 3", "The tenant of the platform's administrators cannot be shut."),
    "tenants:resolver": ("SPEC 2.5", "A tenant's configuration comes from Redis or PostgreSQL."),
    "tenants:invalidation": ("issue 3", "A change of a tenant bites everywhere within a second, told of or not."),
    "tenants:forgery": ("security 122", "Nobody without the platform's secret configures a tenant through Redis."),
    "tenants:database-down": ("R36", "The last known configuration of tenants serves for a minute without PostgreSQL."),
    "tenants:fast": ("SPEC 2.5", "The configuration of a known tenant costs microseconds."),
    "tenants:acting": ("issue 3", "Only administrators of the platform act for another tenant, and it is on record."),
    "tenants:suspended": ("issue 3", "Callers of a suspended tenant get 403."),
    "tenants:deletion": ("issue 3", "Deleting a tenant takes two steps, with what will be deleted counted first."),
    "tenants:offboarding": ("issue 3", "A deleted tenant is exported, then erased, and nothing of another is touched."),
    "tenants:offboarding-resumes": ("R40", "An offboarding killed at any point is finished by the next attempt."),
    "tenants:offboarding-rights": ("R24", "Who has a tenant erased administers the platform, asked again at run time."),
    "tenants:every-table-erased": ("issue 3", "No table with rows of tenants is forgotten by an offboarding."),
    "tenants:history-stays": ("R39", "Jobs and events are deleted with their tenant and at no other time."),
    "tenants:exports": ("R39", "Exports are read by name only, and each download is on record."),
    "tenants:commands": ("issue 3", "manage.py makes the first tenant and its administrator."),
}

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

ADMIN: dict[str, tuple[str, str]] = {
    "admin:sign-in": ("issue 3", "People come in by OIDC alone, with state, nonce and PKCE, and leave no token."),
    "admin:sign-in-limit": ("R33", "An address begins a bounded number of sign-ins a minute."),
    "admin:claims": ("R23", "An ID token that is not exactly ours signs nobody in."),
    "admin:external": ("issue 3", "With an external issuer its tokens say who may come in, each time anew."),
    "admin:refusals": ("issue 3", "Without a role that opens a page there is a page that says so."),
    "admin:rights": ("issue 3", "Each role opens its own pages, by one table."),
    "admin:standing": ("issue 3", "A disabled account, a lost role and a suspended tenant count at once."),
    "admin:sign-out": ("issue 3", "Signing out ends the session here and at the issuer."),
    "admin:cookies": ("issue 3", "The pages have a cookie of their own, and the API has none."),
    "admin:headers": ("issue 3", "Pages bring their own scripts and styles and allow no others."),
    "admin:jobs": ("issue 3", "Jobs can be found and looked at, with their events."),
    "admin:live": ("issue 3", "What a page shows of a job that is under way is kept up to date."),
    "admin:acts": ("issue 3", "Jobs are cancelled, retried and requeued through their services, and audited."),
    "admin:scope": ("issue 3", "An administrator sees its own tenant only, a platform administrator all."),
    "admin:text": ("security 64", "Whatever people and programs wrote is shown as text."),
    "admin:tenants": ("issue 3", "Tenants are changed by whom it is theirs to, and suspended by the platform."),
    "admin:limits": ("issue 3", "Rate limits of tenants and single callers are set here and hold at once."),
    "admin:users": ("issue 3", "Accounts are made, changed and signed out within their tenant, never one's own."),
    "admin:sessions": ("issue 3", "Conversations with agents can be looked at and ended."),
    "admin:audit-log": ("issue 3", "The audit log can be read here and by nobody changed."),
}

OPENAPI: dict[str, tuple[str, str]] = {
    "openapi:conformance": ("issue 3", "Every operation answers every role as the OpenAPI document says."),
    "openapi:examples": ("issue 3", "The document's request bodies have examples, and all its examples are valid."),
}

# Numbered attacks: what the platform answers to each.
SECURITY: dict[str, tuple[str, str]] = {
    "security:1": ("security 1", "A token without an algorithm is refused."),
    "security:2": ("security 2", "A public key is never taken for a shared secret."),
    "security:3": ("security 3", "Only the whole signature of this very token counts."),
    "security:6": ("security 6", "A token with critical extensions is refused."),
    "security:8": ("security 8", "An issuer whose name is almost ours is another."),
    "security:9": ("security 9", "ID tokens, refresh tokens and other kinds open nothing."),
    "security:11": ("security 11", "Other algorithms, keys for other purposes and lax spellings verify nothing."),
    "security:12": ("security 12", "An issuer speaks for its own tenants only."),
    "security:13": ("security 13", "A token comes once, in one header, with each claim once."),
    "security:14": ("security 14", "A tenant is one UUID in one spelling."),
    "security:15": ("security 15", "Roles and scopes are lists of known names; unknown ones give nothing."),
    "security:16": (
        "security 16",
        "Tokens of the signed-out, the disabled and the deleted stop within 5 s, and their streams within 30.",
    ),
    "security:22": ("security 22", "Neither the clock nor the body tells why a token was refused."),
    "security:42": ("security 42", "Administrators' routes, metrics and the detail of health are closed to viewers."),
    "security:43": ("security 43", "Another spelling of a path gets the same decision, or nothing."),
    "security:46": ("security 46", "Nobody raises the own role or scopes."),
    "security:21": ("security 21", "Pages of other origins cannot read answers or act through a browser."),
    "security:52": ("security 52", "A request of doubtful length is refused and hides no second one."),
    "security:53": (
        "security 53",
        "Slow headers, slow bodies and half-open connections are closed; others are served.",
    ),
    "security:63": ("security 63", "Whatever is logged is one line of JSON of at most 16 kB, without secrets."),
    "security:45": ("security 45", "No page, list or answer holds a password, a hash of one, or a key."),
    "security:64": ("security 64", "Markup, scripts and links in data are shown as text, and fetched by nobody."),
    "security:133": ("security 133", "A caller's streams are limited, and slow readers closed."),
    "security:134": ("security 134", "No text of an event can make another event."),
    "security:57": ("security 57", "No spelling, header, token or moment of a request gets around a rate limit."),
    "security:58": ("security 58", "Random paths make no Redis keys."),
    "security:60": ("security 60", "A tenant's flood of jobs stops at its quota and leaves others alone."),
    "security:137": ("security 137", "Of parallel creations at one below the quota exactly one succeeds."),
    "security:28": ("security 28", "A page token that was edited or belongs to another is refused."),
    "security:35": ("security 35", "No way of raw SQL leads around the fence between tenants."),
    "security:37": ("security 37", "Names with SQL in them are stored, listed and exported as they are."),
    "security:112": ("security 112", "Markup, templates and format strings are text everywhere."),
    "security:23": ("security 23", "Ids of another tenant look like ids that never were, on every route."),
    "security:24": ("security 24", "Another tenant's ids in bodies, filters, keys and cursors do nothing."),
    "security:25": ("security 25", "No field, parameter or header takes a caller out of its tenant."),
    "security:26": ("security 26", "Lists take their own filters only."),
    "security:29": ("security 29", "A row cannot point at another tenant's row."),
    "security:30": ("security 30", "Names and keys of one tenant do not collide with another's."),
    "security:33": ("security 33", "Ten thousand interleaved units of work over two connections leak nothing."),
    "security:40": ("security 40", "A deleted tenant's jobs end and its data never shows again."),
    "security:122": ("security 122", "What a rogue client writes into Redis decides nothing."),
    "security:124": ("security 124", "The platform's database roles cannot open the fence."),
    "security:136": ("security 136", "Exports hold one tenant's rows and are read by name only."),
    "security:27": ("security 27", "No name of a parameter or a field becomes part of a query's structure."),
    "security:49": ("security 49", "Values of another type, and more fields than the schema has, are refused."),
    "security:59": ("security 59", "Pages are bounded, whatever limit, offset or search asks for."),
    "security:62": ("security 62", "Naughty strings are stored exactly and read back as they were, everywhere."),
}

LLM: dict[str, tuple[str, str]] = {
    # -- the way out (net)
    # -- providers' wires
    # -- the demo provider
    # -- resilience
    # -- cost
    # -- registry and REST
    # -- operation
    # -- the gateway
}

AREAS = (
    EDGE, IDENTITY, TENANCY, JOBS, QUEUE, STREAMS, OPS,
    ROLES, LIMITS, TRACE, GUARDS, AUDIT, TENANTS, SESSIONS, ADMIN, OPENAPI, LLM, SECURITY,
)  # fmt: skip
REQUIREMENTS: dict[str, tuple[str, str]] = {name: promise for area in AREAS for name, promise in area.items()}
