"""Idempotency-Keys: looked up, and taken by what a request makes. Jobs take theirs in services.py, with the job."""

from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from apps.identity.principal import Principal
from apps.jobs.models import IdempotencyKey
from kernel.tenant_context import prepared_cursor

# The key of a repeat is taken: nothing comes back.
TAKE = """
INSERT INTO idempotency_keys (tenant_id, owner_sub, method, route, key, request_hash, resource_id, response_body,
    created_at, expires_at)
VALUES (%(tenant_id)s, %(sub)s, 'POST', %(route)s, %(key)s, %(request_hash)s, %(id)s, '', now(),
    now() + make_interval(secs => %(key_ttl_s)s::float8))
ON CONFLICT (tenant_id, owner_sub, method, route, key) DO UPDATE SET request_hash = EXCLUDED.request_hash,
    resource_id = EXCLUDED.resource_id, response_body = '', created_at = now(), expires_at = EXCLUDED.expires_at
    WHERE idempotency_keys.expires_at < now()
RETURNING id
"""


def take_key(principal: Principal, route: str, key: str, *, request_hash: str, resource_id: UUID) -> bool:
    """Take the key for what the open transaction makes; False when an earlier request has it. Waits for one that is
    about to take it."""
    values = {
        "tenant_id": principal.tenant_id,
        "sub": principal.sub,
        "route": route,
        "key": key,
        "request_hash": request_hash,
        "id": resource_id,
        "key_ttl_s": settings.IDEMPOTENCY_TTL_S,
    }
    with prepared_cursor() as cursor:
        return cursor.execute(TAKE, values).fetchone() is not None


def find_key(principal: Principal, route: str, key: str) -> IdempotencyKey | None:
    """The record of the request that has this key, while it is remembered. Inside a tenant scope."""
    return IdempotencyKey.objects.filter(
        tenant_id=principal.tenant_id, owner_sub=principal.sub, method="POST", route=route, key=key,
        expires_at__gte=Now(),
    ).first()  # fmt: skip
