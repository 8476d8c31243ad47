"""What the code declares, written into the registry. What administrators set there stays (SPEC 8, R31)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.audit import trail
from apps.tools.models import ToolManifest
from apps.tools.registry import current
from apps.tools.spec import DECLARED, ToolSpec
from kernel import engine_db
from kernel.clock import now

TOLD_NAMES = 100  # of each kind, in one audit row


@dataclass(frozen=True, slots=True)
class Synced:
    """Names of tools: new ones, those that are not what was approved before, those that no code declares any more, and
    of the first two those that now wait for an approval."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    waiting: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """What one synchronisation finds, in order of name."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    news: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # (name, audited action, details)


def sync_first(*, by: str) -> Synced:
    """What an installation does when it is brought up to date: in production only its first tools are vouched for."""
    with _alone():
        is_first = not ToolManifest.objects.using(engine_db.ALIAS).exists()
        synced = _sync(approve=is_first or settings.ENVIRONMENT != "prod", by=by)
    current.reload()
    return synced


def sync(*, approve: bool, by: str) -> Synced:
    """Copy every declared tool into its manifest. ``approve``: whoever runs this vouches for what the code does now.

    Without it a new or changed tool waits, switched off for everybody, until an administrator approves it. Limits that
    nobody changed follow the code. A repeat writes nothing.
    """
    with _alone():
        synced = _sync(approve=approve, by=by)
    current.reload()
    return synced


@contextmanager
def _alone() -> Iterator[None]:
    """One transaction, one at a time in the installation. What the code says is read before: that takes seconds on a
    busy machine, and PostgreSQL ends a transaction that is idle for so long."""
    _ = [spec.fingerprint for spec in DECLARED.values()]
    with transaction.atomic(using=engine_db.ALIAS):
        with engine_db.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('tools.sync', 0))")
        yield


def _sync(*, approve: bool, by: str) -> Synced:
    found = _Found()
    rows = {row.name: row for row in ToolManifest.objects.using(engine_db.ALIAS).select_for_update()}
    for name, spec in sorted(DECLARED.items()):
        row = rows.get(name)
        if row is None:
            found.added.append(name)
            row = _new(spec)
        before = _state_of(row)
        _declare(row, spec)
        if row.approved_fingerprint != spec.fingerprint:
            if name in rows:
                found.changed.append(name)
            if approve:
                approve_as(row, by)
        if name not in rows or _state_of(row) != before:
            row.updated_at = now()
            row.save(using=engine_db.ALIAS)
        if name in rows and row.fingerprint != before["fingerprint"]:
            found.news.append((name, "tool.declared", _told(row, before, approve=approve)))
        elif name in rows and row.approved_fingerprint != before["approved_fingerprint"]:
            found.news.append((name, "tool.approved", {"version": row.version, "fingerprint": row.fingerprint}))
    for name, row in sorted(rows.items()):
        if name not in DECLARED and row.is_declared:
            found.gone.append(name)
            found.news.append((name, "tool.gone", {"version": row.version}))
            row.is_declared, row.updated_at = False, now()
            row.save(using=engine_db.ALIAS, update_fields=["is_declared", "updated_at"])
    _audit(found, approve=approve, by=by)
    waiting = () if approve else tuple(sorted((*found.added, *found.changed)))
    return Synced(tuple(found.added), tuple(found.changed), tuple(found.gone), waiting)


def approve_as(row: ToolManifest, by: str) -> None:
    """What it declares is what ``by`` approved. The caller saves the row."""
    row.approved_fingerprint, row.approved_declaration = row.fingerprint, row.declaration
    row.approved_by, row.approved_at = by[:255], now()


def limits_of(spec: ToolSpec) -> dict[str, float]:
    """The limits that the code proposes, under the names of the manifest's columns."""
    return {
        "timeout_s": float(spec.timeout_s),
        "rate_requests": spec.rate.requests,
        "rate_window_s": spec.rate.window_s,
    }


def _new(spec: ToolSpec) -> ToolManifest:
    """What an administrator may change later, as the code proposes it."""
    return ToolManifest(name=spec.name, **limits_of(spec))


def _declare(row: ToolManifest, spec: ToolSpec) -> None:
    row.version, row.title, row.description = spec.version[:32], spec.title[:200], spec.description
    row.category, row.effect = spec.category[:50], spec.effect
    row.input_schema, row.output_schema = spec.input_schema, spec.output_schema
    row.permissions, row.declared_scopes = list(spec.permissions), list(spec.scopes)
    row.long_running, row.aliases = spec.long_running, list(spec.aliases)
    row.declaration, row.fingerprint, row.is_declared = spec.declaration, spec.fingerprint, True
    for name, proposed in limits_of(spec).items():
        if getattr(row, name) == row.declared_limits.get(name):
            setattr(row, name, proposed)
    row.timeout_s = min(row.timeout_s, spec.timeout_s)
    row.declared_limits = limits_of(spec)


def _state_of(row: ToolManifest) -> dict[str, Any]:
    return {column.attname: getattr(row, column.attname) for column in row._meta.concrete_fields}


def _told(row: ToolManifest, before: dict[str, Any], *, approve: bool) -> dict[str, Any]:
    differs = [name for name, said in row.declaration.items() if before["declaration"].get(name) != said]
    return {
        "version": [before["version"], row.version],
        "fingerprint": [before["fingerprint"], row.fingerprint],
        "differs": differs,
        "approved": approve,
    }


def _audit(found: _Found, *, approve: bool, by: str) -> None:
    """Last in the transaction: a row for each tool that is not what it was, and one for the whole."""
    for name, action, details in found.news:
        _record(action, name, details, by)
    if found.added or found.news:
        listed = {"added": found.added, "changed": found.changed, "gone": found.gone}
        told = {what: names[:TOLD_NAMES] for what, names in listed.items()}
        _record("tools.sync", "", {**told, "approved": approve}, by)


def _record(action: str, name: str, details: dict[str, Any], by: str) -> None:
    trail.record(
        tenant_id=None,
        actor=by,
        action=action,
        resource_type="tool_manifest",
        resource_id=name,
        details=details,
        using=engine_db.ALIAS,
    )
