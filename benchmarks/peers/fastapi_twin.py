"""The twin: POST and GET /v1/jobs on FastAPI and asyncpg, as small as they can honestly be.

It does what the platform's API does for such a request: verifies the RS256 token (a good one is remembered), checks
the payload, sets the tenant for row-level security, inserts job and first event in one transaction with the platform's
own statement as cineca_app, commits, and writes the same Redis pipeline. It leaves out idempotency keys, retries,
problem documents, request ids, input limits and metrics.
"""

import hashlib
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import django
import jwt
import msgpack
import redis.asyncio
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from fastapi import FastAPI, Header, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

django.setup()  # only to read the platform's statement and settings

from django.conf import settings  # noqa: E402

from apps.identity.issuer import own_issuer  # noqa: E402
from apps.jobs.payloads import TestPayload  # noqa: E402
from apps.jobs.services import INSERT  # noqa: E402
from apps.jobs.types import JOB_TYPES  # noqa: E402
from kernel.redis_keys import JOBS_EVENTS, JOBS_STATE  # noqa: E402
from kernel.wakeups import GROUP_CHANNEL  # noqa: E402

POOL_MAX = int(os.environ.get("BENCH_TWIN_POOL_MAX", "10"))
CASTS = {"id": "uuid", "tenant_id": "uuid", "retry_of": "uuid", "key_ttl_s": "float8", "priority": "int"}
CASTS |= {"max_attempts": "int", "payload": "jsonb", "principal": "jsonb"}
STATE_COLUMNS = ["status", "type", "owner_sub", "last_seq", "attempt"]


def _positional(sql: str) -> tuple[str, list[str]]:
    """The statement with $1, $2 ... for %(name)s, and the names in order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}::{CASTS.get(name, 'text')}"

    return re.sub(r"%\((\w+)\)s(?:::text)?", number, sql), names


STATEMENT, NAMES = _positional(INSERT)


class Caller(BaseModel):
    """Who the token speaks for."""

    sub: str
    tenant_id: UUID
    roles: list[str]
    scopes: list[str]
    expires_at_s: int


class JobCreate(BaseModel):
    """Body of POST /v1/jobs."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: str = Field(min_length=1, max_length=100)
    payload: dict[str, Any] = Field(default_factory=dict)
    priority: int = Field(0, ge=-100, le=100)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=2, max_size=POOL_MAX)
    app.state.redis = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"])
    yield
    await app.state.pool.close()


app = FastAPI(lifespan=_lifespan)


@lru_cache
def _key() -> Any:
    pem = next(Path(os.environ["AGENTIC_ISSUER_KEYS_DIR"]).glob("*.pem"))
    return load_pem_private_key(pem.read_bytes(), None).public_key()


@lru_cache(maxsize=10_000)
def _verified(token: str) -> Caller:
    claims = jwt.decode(token, _key(), algorithms=["RS256"], audience=settings.OIDC_AUDIENCE, issuer=own_issuer())
    return Caller(**claims, expires_at_s=claims["exp"])


def _caller(authorization: str) -> Caller:
    try:
        caller = _verified(authorization.removeprefix("Bearer "))
    except jwt.PyJWTError as error:
        raise HTTPException(401) from error
    if caller.expires_at_s < datetime.now(UTC).timestamp():
        raise HTTPException(401)
    return caller


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


async def _enqueue(client: redis.asyncio.Redis, row: asyncpg.Record, event: bytes) -> None:
    state, ring = JOBS_STATE(id=row["id"]), JOBS_EVENTS(id=row["id"])
    pipe = client.pipeline(transaction=False)
    fields = {name: row[name] for name in STATE_COLUMNS}
    fields |= {
        "tenant_id": str(row["tenant_id"]),
        "worker_id": "",
        "progress": "",
        "updated_at": _iso(row["created_at"]),
    }
    pipe.hset(state, mapping=fields)
    pipe.expire(state, JOBS_STATE.ttl_s or 0)
    pipe.rpush(ring, event)
    pipe.expire(ring, JOBS_EVENTS.ttl_s or 0)
    wake = {"type": "jobs.wake", "jobs": {str(row["id"]): row["last_seq"]}}
    pipe.publish(GROUP_CHANNEL, msgpack.packb(wake))
    pipe.lpush(JOB_TYPES[row["type"]].queue(row["priority"]), str(row["id"]))
    await pipe.execute()


@app.post("/v1/jobs")
async def create(body: JobCreate, request: Request, authorization: str = Header("")) -> Response:
    """Accept a job of type test."""
    caller = _caller(authorization)
    TestPayload.model_validate(body.payload)
    values = {
        "id": uuid4(),
        "tenant_id": caller.tenant_id,
        "type": body.type,
        "sub": caller.sub,
        "payload": to_json(body.payload).decode(),
        "principal": to_json({"sub": caller.sub, "roles": caller.roles, "scopes": caller.scopes}).decode(),
        "key": None,
        "key_ttl_s": 86_400.0,
        "request_hash": hashlib.sha256(to_json([body.type, body.payload, body.priority])).hexdigest(),
        "route": "/v1/jobs",
        "priority": body.priority,
        "max_attempts": 3,
        "retry_of": None,
        "request_id": (name := uuid4().hex),
        "correlation_id": name,
        "traceparent": f"00-{name}-{name[:16]}-01",
    }
    async with app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.tenant_id', $1, true)", str(caller.tenant_id))
        row = await connection.fetchrow(STATEMENT, *(values[name] for name in NAMES))
    event = {name: row[name] for name in ("seq_id", "event_type")}
    event |= {"event_json": json.loads(row["event_json"]), "created_at": _iso(row["created_at"])}
    await _enqueue(app.state.redis, row, to_json(event))
    answer = {
        "id": row["id"],
        "job_id": row["id"],
        "type": row["type"],
        "status": "queued",
        "owner": row["owner_sub"],
        "owner_sub": row["owner_sub"],
        "tenant_id": row["tenant_id"],
        "priority": row["priority"],
        "created_at": _iso(row["created_at"]),
    }
    headers = {"Location": str(request.url_for("read", job_id=row["id"])), "Cache-Control": "no-store"}
    return Response(to_json(answer), 202, headers, "application/json")


@app.get("/v1/jobs/{job_id}")
async def read(job_id: UUID, authorization: str = Header("")) -> Response:
    """The caller's job, or 404."""
    caller = _caller(authorization)
    async with app.state.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('app.tenant_id', $1, true)", str(caller.tenant_id))
        row = await connection.fetchrow("SELECT * FROM jobs WHERE id = $1", job_id)
    if row is None or row["owner_sub"] != caller.sub:
        raise HTTPException(404)
    shown = {name: _iso(value) if isinstance(value, datetime) else value for name, value in row.items()}
    text = "\x1f".join(str(row[name]) for name in ("id", "status", "last_seq", "attempt", "cancel_requested_at"))
    etag = hashlib.sha256(text.encode()).hexdigest()[:32]
    headers = {"ETag": f'"{etag}"', "Cache-Control": "private, max-age=15", "Vary": "Authorization"}
    return Response(to_json(shown), 200, headers, "application/json")
