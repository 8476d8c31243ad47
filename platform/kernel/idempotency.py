"""Idempotency-Keys of POST requests: looked up, and taken by what a request makes. Table idempotency_keys.

Jobs take theirs in apps/jobs/services.py, with the job.
"""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from django.conf import settings

from kernel.tenant_context import prepared_cursor

# The key of a repeat is taken: nothing comes back.
TAKE: LiteralString = """
INSERT INTO idempotency_keys (tenant_id, owner_sub, method, route, key, request_hash, resource_id, response_body,
    created_at, expires_at)
VALUES (%(tenant_id)s, %(sub)s, 'POST', %(route)s, %(key)s, %(request_hash)s, %(id)s, '', now(),
    now() + make_interval(secs => %(key_ttl_s)s::float8))
ON CONFLICT (tenant_id, owner_sub, method, route, key) DO UPDATE SET request_hash = EXCLUDED.request_hash,
    resource_id = EXCLUDED.resource_id, response_body = '', created_at = now(), expires_at = EXCLUDED.expires_at
    WHERE idempotency_keys.expires_at < now()
RETURNING id
"""
FIND: LiteralString = """
SELECT request_hash, resource_id FROM idempotency_keys
WHERE tenant_id = %(tenant_id)s AND owner_sub = %(sub)s AND method = 'POST' AND route = %(route)s AND key = %(key)s
    AND expires_at >= now()
"""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A key as it is kept: one caller's for one route."""

    tenant_id: UUID
    sub: str
    route: str
    key: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What an earlier request with the key asked for, and what it made."""

    request_hash: str
    resource_id: UUID


def take_key(asked: RequestKey, *, request_hash: str, resource_id: UUID) -> bool:
    """Take the key for what the open transaction makes; False when an earlier request has it. Waits for one that is
    about to take it. Inside a tenant scope."""
    values = {
        **_values(asked),
        "request_hash": request_hash,
        "id": resource_id,
        "key_ttl_s": settings.IDEMPOTENCY_TTL_S,
    }
    with prepared_cursor() as cursor:
        return cursor.execute(TAKE, values).fetchone() is not None


def find_key(asked: RequestKey) -> Taken | None:
    """Whose the key is, while that is remembered. Inside a tenant scope."""
    with prepared_cursor() as cursor:
        row = cursor.execute(FIND, _values(asked)).fetchone()
    return None if row is None else Taken(row["request_hash"], row["resource_id"])


def _values(asked: RequestKey) -> dict[str, object]:
    return {"tenant_id": asked.tenant_id, "sub": asked.sub, "route": asked.route, "key": asked.key}
