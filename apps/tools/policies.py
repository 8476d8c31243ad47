"""What administrators set: the platform's a tool's manifest, a tenant's what their own tenant may do with it.

Neither widens what the code declares. The one thing that may be raised is a manifest's rate: how many calls the
platform bears is its administrators' to say. Each change is one transaction with its audit row, and bites everywhere
within three seconds (registry.py).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.audit import trail
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.identity.scopes import INCLUDES, SCOPE_TEXTS, SIGN_IN_SCOPES, SPELLINGS
from apps.tenancy.rights import require_platform_admin
from apps.tools import registry
from apps.tools.models import ToolManifest, ToolPolicy
from apps.tools.spec import APPROVALS
from apps.tools.syncing import approve_as
from kernel import engine_db
from kernel.clock import now
from kernel.errors import ConflictError, NotFoundError, PreconditionFailedError, ValidationError

MANAGE = "tools:update"
MANIFEST_FIELDS = ("enabled", "rate_requests", "rate_window_s", "extra_scopes", "approval", "timeout_s")
POLICY_FIELDS = ("enabled", "rate_requests", "rate_window_s", "extra_scopes", "approval")
REQUESTS_MAX, WINDOW_MAX_S, SCOPES_MAX, TIMEOUT_MIN_S = 1_000_000, 86_400, 20, 0.1
SCOPES = frozenset(
    {*SCOPE_TEXTS, *INCLUDES, *(part for parts in INCLUDES.values() for part in parts)}.union(
        *rbac.ROLE_SCOPES.values()
    )
    - SIGN_IN_SCOPES
)


def change_manifest(
    name: str, change: Mapping[str, Any], *, by: Principal, expected: datetime | None = None
) -> ToolManifest:
    """Change some of MANIFEST_FIELDS, for all tenants. ``expected``: ``updated_at`` of what the person saw.

    ``approval``: as careful as the code says, or more; empty: as the code says. ``timeout_s``: at most the code's.
    ForbiddenError for anybody but an administrator of the platform, ValidationError for a value that is not possible,
    PreconditionFailedError when somebody was faster, ConflictError when no code declares the tool any more.
    """
    require_platform_admin(by)
    with _writing():
        row = _locked_manifest(name)
        _require_unchanged(row, expected, "tool")
        if not row.is_declared:
            raise ConflictError(f"No code declares {row.name} any more: there is nothing to set.", code="tool_gone")
        after = _checked(change, MANIFEST_FIELDS, _state(row, MANIFEST_FIELDS), floor=declared_approval(row))
        if "timeout_s" in change:
            after["timeout_s"] = _checked_timeout(after["timeout_s"], float(row.declared_limits["timeout_s"]))
        _write(row, after, MANIFEST_FIELDS, by, "tool.changed")
    return row


def approve_manifest(name: str, *, fingerprint: str, by: Principal) -> ToolManifest:
    """Vouch for what the tool has become. ``fingerprint``: of the declaration that the person read.

    ConflictError when it is approved already or no code declares it, PreconditionFailedError when it has changed since.
    """
    require_platform_admin(by)
    with _writing():
        row = _locked_manifest(name)
        if not row.is_declared:
            raise ConflictError(f"No code declares {row.name} any more: there is nothing to approve.", code="tool_gone")
        if row.fingerprint != fingerprint:
            raise PreconditionFailedError(f"{row.name} has changed again since you read it. Read it again.")
        if row.approved_fingerprint == fingerprint:
            raise ConflictError(f"{row.name} is approved already.", code="tool_approved")
        former = row.approved_fingerprint
        approve_as(row, by.sub)
        row.updated_at = now()
        row.save(using=engine_db.ALIAS)
        _audit(row, by, "tool.approved", {"version": row.version, "fingerprint": [former, fingerprint]})
    return row


def set_policy(name: str, change: Mapping[str, Any], *, by: Principal, expected: datetime | None = None) -> ToolPolicy:
    """Change some of POLICY_FIELDS for the tenant that ``by`` acts in; what is None or empty is as the manifest.

    ``approval``: as careful as the platform is, or more. Errors as of change_manifest; NotFoundError when there is no
    such tool.
    """
    rbac.require(by, MANAGE)
    with _writing():
        manifest = _declared_manifest(name)
        rows = ToolPolicy.objects.using(engine_db.ALIAS).select_for_update()
        row = rows.filter(tenant_id=by.tenant_id, tool=manifest.name).first()
        if row is None:
            row = ToolPolicy(tenant_id=by.tenant_id, tool=manifest.name)
        else:
            _require_unchanged(row, expected, "policy")
        floor = max((declared_approval(manifest), manifest.approval or APPROVALS[0]), key=_carefulness)
        after = _checked(change, POLICY_FIELDS, _state(row, POLICY_FIELDS), floor=floor)
        row.updated_by = by.sub[:255]
        _write(row, after, POLICY_FIELDS, by, "tool.policy_set")
    return row


def remove_policy(name: str, *, by: Principal) -> None:
    """The tenant that ``by`` acts in says nothing of the tool any more, whether there still is one or not."""
    rbac.require(by, MANAGE)
    with _writing():
        rows = ToolPolicy.objects.using(engine_db.ALIAS).select_for_update()
        row = rows.filter(tenant_id=by.tenant_id, tool=name).first()
        if row is None:
            raise NotFoundError("There is no such policy.", code="tool_policy_not_found")
        said = {field: value for field, value in _state(row, POLICY_FIELDS).items() if value not in (None, "", [])}
        key = row.pk
        row.delete(using=engine_db.ALIAS)
        row.pk = key
        _audit(row, by, "tool.policy_removed", {"said": said})


def declared_approval(row: ToolManifest) -> str:
    """The least that the tool's code asks for."""
    said = row.declaration.get("approval")
    return said if said in APPROVALS else APPROVALS[-1]


@contextmanager
def _writing() -> Iterator[None]:
    """One transaction through the engine's door; afterwards this process knows at once."""
    try:
        with transaction.atomic(using=engine_db.ALIAS):
            yield
    except IntegrityError as error:
        raise ConflictError("Somebody set this just now. Read it again.", code="tool_policy_exists") from error
    registry.current.reload()


def _locked_manifest(name: str) -> ToolManifest:
    row = ToolManifest.objects.using(engine_db.ALIAS).select_for_update().filter(name=name).first()
    if row is None:
        raise NotFoundError(f"There is no tool {name[:100]!r} in the registry.", code="tool_not_found")
    return row


def _declared_manifest(name: str) -> ToolManifest:
    """By its name or an alias."""
    rows = ToolManifest.objects.using(engine_db.ALIAS).filter(is_declared=True)
    row = rows.filter(name=name).first() or rows.filter(aliases__contains=[name]).first()
    if row is None:
        raise NotFoundError(f"There is no tool {name[:100]!r} in the registry.", code="tool_not_found")
    return row


def _require_unchanged(row: ToolManifest | ToolPolicy, expected: datetime | None, what: str) -> None:
    if expected is not None and row.updated_at != expected:
        raise PreconditionFailedError(
            f"The {what} was changed since you read it. Read it again and repeat your change."
        )


def _state(row: ToolManifest | ToolPolicy, fields: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in fields}


def _write(
    row: ToolManifest | ToolPolicy, after: dict[str, Any], fields: tuple[str, ...], by: Principal, action: str
) -> None:
    """Nothing is written where nothing differs."""
    before = _state(row, fields)
    changes = {name: [before[name], value] for name, value in after.items() if before[name] != value}
    if not changes and not row._state.adding:
        return
    for name, value in after.items():
        setattr(row, name, value)
    row.updated_at = now()
    row.save(using=engine_db.ALIAS)
    _audit(row, by, action, {"changes": changes})


def _checked(
    change: Mapping[str, Any], fields: tuple[str, ...], before: dict[str, Any], *, floor: str
) -> dict[str, Any]:
    """The state after the change. ValidationError for the first thing that cannot be; what is not changed stays, even
    where the code has since become stricter: the registry takes the stricter of both."""
    unknown = sorted(set(change) - set(fields))
    if unknown:
        raise ValidationError(f"{', '.join(unknown)[:200]} cannot be set here; {', '.join(fields)} can.")
    after = {**before, **change}
    of_policy = "timeout_s" not in fields
    if not isinstance(after["enabled"], bool) and not (of_policy and after["enabled"] is None):
        raise ValidationError("enabled is true or false.")
    _require_rate(after["rate_requests"], after["rate_window_s"], may_be_none=of_policy)
    if "extra_scopes" in change:
        after["extra_scopes"] = _checked_scopes(change["extra_scopes"])
    if "approval" in change:
        after["approval"] = change["approval"] or ""
        _require_careful(after["approval"], floor)
    return after


def _require_careful(approval: Any, floor: str) -> None:
    if approval == "":
        return
    if approval not in APPROVALS:
        raise ValidationError(f"approval is one of {', '.join(APPROVALS)}, or empty.")
    if _carefulness(approval) < _carefulness(floor):
        raise ValidationError(
            f"Approval cannot be {approval!r}: {floor!r} is the least that this tool asks for. "
            "It can be made stricter, not laxer.",
            code="approval_too_lax",
        )


def _require_rate(requests: Any, window_s: Any, *, may_be_none: bool) -> None:
    if requests is None and window_s is None and may_be_none:
        return
    if requests is None or window_s is None:
        raise ValidationError("A rate is a number of calls and a window of seconds: give both.")
    if not _is_whole(requests) or not 0 <= requests <= REQUESTS_MAX:
        raise ValidationError(f"rate_requests is a whole number from 0, nobody may call, to {REQUESTS_MAX:,}.")
    if not _is_whole(window_s) or not 1 <= window_s <= WINDOW_MAX_S:
        raise ValidationError(f"rate_window_s is a whole number of seconds from 1 to {WINDOW_MAX_S:,}.")


def _checked_scopes(scopes: Any) -> list[str]:
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise ValidationError("extra_scopes is a list of scopes.")
    named = list(dict.fromkeys(str(SPELLINGS.get(scope, scope)) for scope in scopes))
    if len(named) > SCOPES_MAX:
        raise ValidationError(f"At most {SCOPES_MAX} scopes can be asked for besides the tool's own.")
    unknown = [scope for scope in named if scope not in SCOPES]
    if unknown:
        raise ValidationError(
            f"There is no scope {unknown[0][:100]!r}: nobody could have it. See docs/reference/rbac.md.",
            code="unknown_scope",
        )
    return named


def _checked_timeout(timeout_s: Any, most_s: float) -> float:
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float):
        raise ValidationError("timeout_s is a number of seconds.")
    if not TIMEOUT_MIN_S <= timeout_s <= most_s:
        raise ValidationError(
            f"timeout_s is from {TIMEOUT_MIN_S:g} to {most_s:g} s: no longer than its code allows itself."
        )
    return float(timeout_s)


def _carefulness(approval: str) -> int:
    return [*APPROVALS].index(approval)  # type: ignore[arg-type]


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def _audit(row: ToolManifest | ToolPolicy, by: Principal, action: str, details: dict[str, Any]) -> None:
    """Last in its transaction, in the chain of whom it concerns: the platform's, or the tenant's."""
    tenant_id, kind, name = (
        (row.tenant_id, "tool_policy", row.tool) if isinstance(row, ToolPolicy) else (None, "tool_manifest", row.name)
    )
    trail.record(
        tenant_id=tenant_id,
        actor=by.sub,
        action=action,
        resource_type=kind,
        resource_id=name,
        details=details,
        actor_tenant_id=by.own_tenant_id,
        using=engine_db.ALIAS,
    )
