"""What the code declares, written into the registry. What administrators set there stays (SPEC 8, R31)."""

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from apps.audit import trail
from apps.tools.models import ToolManifest
from apps.tools.registry import current
from apps.tools.spec import DECLARED, ToolSpec
from kernel import engine_db
from kernel.clock import now


@dataclass(frozen=True, slots=True)
class Synced:
    """Names of tools: new ones, those that are not what was approved before, those that no code declares any more, and
    of the first two those that now wait for an approval."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]
    waiting: tuple[str, ...]


def sync_first(*, by: str) -> Synced:
    """What an installation does when it is brought up to date: in production only its first tools are vouched for."""
    is_first = not ToolManifest.objects.using(engine_db.ALIAS).exists()
    return sync(approve=is_first or settings.ENVIRONMENT != "prod", by=by)


def sync(*, approve: bool, by: str) -> Synced:
    """Copy every declared tool into its manifest. ``approve``: whoever runs this vouches for what the code does now.

    Without it a new or changed tool waits, switched off for everybody, until an administrator approves it.
    """
    with transaction.atomic(using=engine_db.ALIAS):
        known = {row.name: row for row in ToolManifest.objects.using(engine_db.ALIAS).select_for_update()}
        added = [name for name in DECLARED if name not in known]
        changed, gone = [], [name for name, row in known.items() if name not in DECLARED and row.is_declared]
        for name, spec in sorted(DECLARED.items()):
            row = known.get(name) or _new(spec)
            _declare(row, spec)
            if row.approved_fingerprint != spec.fingerprint:
                if name in known:
                    changed.append(name)
                if approve:
                    _approve(row, by)
            row.save(using=engine_db.ALIAS)
        ToolManifest.objects.using(engine_db.ALIAS).filter(name__in=gone).update(is_declared=False, updated_at=now())
        if added or changed or gone:
            trail.record(
                tenant_id=None,
                actor=by,
                action="tools.sync",
                resource_type="tool_manifest",
                details={"added": added, "changed": changed, "gone": gone, "approved": approve},
                using=engine_db.ALIAS,
            )
    current.reload()
    waiting = () if approve else (*added, *changed)
    return Synced(tuple(sorted(added)), tuple(changed), tuple(sorted(gone)), tuple(sorted(waiting)))


def _new(spec: ToolSpec) -> ToolManifest:
    """What an administrator may change later, as the code proposes it."""
    return ToolManifest(
        name=spec.name,
        rate_requests=spec.rate.requests,
        rate_window_s=spec.rate.window_s,
        timeout_s=spec.timeout_s,
    )


def _declare(row: ToolManifest, spec: ToolSpec) -> None:
    row.version, row.title, row.description = spec.version, spec.title[:200], spec.description
    row.category, row.effect = spec.category, spec.effect
    row.input_schema, row.output_schema = spec.input_schema, spec.output_schema
    row.permissions, row.declared_scopes = list(spec.permissions), list(spec.scopes)
    row.long_running, row.aliases = spec.long_running, list(spec.aliases)
    row.fingerprint, row.is_declared, row.updated_at = spec.fingerprint, True, now()


def _approve(row: ToolManifest, by: str) -> None:
    row.approved_fingerprint, row.approved_by, row.approved_at = row.fingerprint, by[:255], now()
