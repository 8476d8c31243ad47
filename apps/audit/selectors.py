"""Reading the audit log. A tenant's own chain is read inside its scope; any other through the engine's door.

A row's number is given under the lock of the chain's head, which lasts to the commit: whoever sees row n sees 1 to n,
so pages cut by ``seq`` neither miss nor repeat a row.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.db.models.expressions import RawSQL

from apps.audit.chain import Link
from apps.audit.models import AuditLog
from kernel import engine_db
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope

TOTAL_EXACT_UP_TO = 10_000
EXPORT_BATCH = 500
_PREFIX_SIGN = "*"


@dataclass(frozen=True)
class Filters:
    """What a list or an export is narrowed to; None: not at all. An ``action`` that ends in * is a prefix."""

    action: str | None = None
    actor: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    outcome: str | None = None
    correlation_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """Those that are set."""
        return {name: str(value) for name, value in asdict(self).items() if value is not None}

    def as_query(self) -> Q:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        action = given.pop("action", None)
        since, until = given.pop("since", None), given.pop("until", None)
        query = Q(**given)
        if action is not None:
            prefix = action.endswith(_PREFIX_SIGN)
            query &= Q(action__startswith=action[:-1]) if prefix else Q(action=action)
        if since is not None:
            query &= Q(created_at__gte=since)
        if until is not None:
            query &= Q(created_at__lt=until)
        return query


@dataclass(frozen=True)
class Chain:
    """A chain and whose eyes read it."""

    tenant_id: UUID
    is_own: bool = True

    @contextmanager
    def open(self) -> Iterator[QuerySet[AuditLog]]:
        """The chain's rows, in one transaction."""
        if self.is_own:
            with tenant_scope(self.tenant_id):
                yield AuditLog.objects.filter(tenant_id=self.tenant_id)
        else:
            with transaction.atomic(using=engine_db.ALIAS):
                yield AuditLog.objects.using(engine_db.ALIAS).filter(tenant_id=self.tenant_id)


def list_rows(chain: Chain, filters: Filters, *, after: Cursor | None = None, limit: int) -> tuple[list[AuditLog], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total, exact up to
    TOTAL_EXACT_UP_TO."""
    with chain.open() as rows:
        rows = rows.filter(filters.as_query())
        total = rows.order_by()[:TOTAL_EXACT_UP_TO].count()
        if after is not None:
            last = AuditLog.objects.filter(tenant_id=chain.tenant_id, id=after.id, created_at=after.created_at)
            rows = rows.filter(seq__lt=last.values("seq")[:1])
        return list(rows.order_by("-seq")[: limit + 1]), total


def last_seq(chain: Chain) -> int:
    """The number of the newest row that is committed; 0 for an empty chain."""
    with chain.open() as rows:
        return int(rows.aggregate(last=Max("seq"))["last"] or 0)


def export_batch(chain: Chain, filters: Filters, *, after_seq: int, up_to_seq: int) -> list[AuditLog]:
    """The next rows, oldest first, with ``details_text`` as PostgreSQL prints it: that is what was hashed."""
    with chain.open() as rows:
        wanted = rows.filter(filters.as_query(), seq__gt=after_seq, seq__lte=up_to_seq)
        text = RawSQL("audit_logs.details::text", [])
        return list(wanted.annotate(details_text=text).order_by("seq")[:EXPORT_BATCH])


def tenant_id_by_slug(slug: str) -> UUID | None:
    """apps.tenancy lies above and writes audit rows, so its selectors cannot be asked."""
    if "\0" in slug:
        return None
    with engine_db.cursor() as cursor:
        cursor.execute("SELECT id FROM tenants WHERE slug = %s", [slug])
        row = cursor.fetchone()
    return row[0] if row else None


# -- verification, always through the engine's door: a tenant cannot read the heads
_LINKS = """
SELECT tenant_id::text, seq, encode(prev_hash, 'hex'), id::text, (extract(epoch FROM created_at) * 1000000)::bigint,
    actor, actor_tenant_id::text, action, resource_type, resource_id, outcome, details::text, error_message, request_id,
    correlation_id, trace_id, client_ip, encode(hash, 'hex'), created_at
FROM audit_logs WHERE tenant_id = %s AND (seq, created_at, id) > (%s, %s, %s) AND seq <= %s
ORDER BY seq, created_at, id LIMIT %s
"""
# Every chain that has a head or a row; the recursion hops from tenant to tenant along the primary key.
_CHAINS = """
WITH RECURSIVE hop (tenant_id) AS (
    (SELECT tenant_id FROM audit_logs ORDER BY tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant_id FROM audit_logs WHERE tenant_id > hop.tenant_id ORDER BY tenant_id LIMIT 1)
    FROM hop WHERE hop.tenant_id IS NOT NULL
)
SELECT tenant_id FROM hop WHERE tenant_id IS NOT NULL UNION SELECT tenant_id FROM audit_heads ORDER BY 1
"""
_HEAD = """
SELECT (SELECT seq FROM audit_heads WHERE tenant_id = %(id)s),
    (SELECT encode(hash, 'hex') FROM audit_heads WHERE tenant_id = %(id)s),
    (SELECT max(seq) FROM audit_logs WHERE tenant_id = %(id)s)
"""


def chains() -> list[UUID]:
    """All chains, the platform's own first."""
    with engine_db.cursor() as cursor:
        cursor.execute(_CHAINS)
        return [row[0] for row in cursor.fetchall()]


def head_of(tenant_id: UUID) -> tuple[int, str | None, int]:
    """(the head's seq, its hash, the highest seq of a row), of one moment; 0 and None without a head."""
    with engine_db.cursor() as cursor:
        cursor.execute(_HEAD, {"id": tenant_id})
        seq, digest, last = cursor.fetchone()
        return seq or 0, digest, last or 0


def links(tenant_id: UUID, *, from_seq: int, to_seq: int, batch: int = 2000) -> Iterator[Link]:
    """The chain's rows in order, read in batches. Rows of one number come by time."""
    after: tuple[Any, ...] = (from_seq - 1, "infinity", UUID(int=2**128 - 1))
    while True:
        with engine_db.cursor() as cursor:
            cursor.execute(_LINKS, [tenant_id, *after, to_seq, batch])
            rows = cursor.fetchall()
        for row in rows:
            yield Link(*row[:18])
        if len(rows) < batch:
            return
        after = (rows[-1][1], rows[-1][18], rows[-1][3])
