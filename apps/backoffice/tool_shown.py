"""How tools are shown: how they stand, what of them has changed, and who changed what they may."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.contrib.admin.utils import quote

from apps.audit.models import PLATFORM_CHAIN, AuditLog
from apps.backoffice.documents import pretty, seen
from apps.backoffice.llm_shown import badge
from apps.identity.selectors import usernames_of
from apps.tools.models import ToolManifest, ToolPolicy
from apps.tools.policies import declared_approval
from apps.tools.spec import APPROVALS

TOOL_LIST = "/admin/tools/toolmanifest/"
HISTORY_SHOWN = 30
CAREFUL: list[str] = [*APPROVALS]
PAIRS = frozenset({"fingerprint", "version"})  # before and after, in what the audit log says of a tool
SAYS = {
    "tool.changed": "changed",
    "tool.approved": "approved",
    "tool.declared": "its code changed",
    "tool.gone": "its code went",
    "tool.policy_set": "set",
    "tool.policy_removed": "removed",
}


def tool_address(name: str) -> str:
    """Of a tool's page."""
    return f"{TOOL_LIST}{quote(name)}/change/"


def effect_badge(effect: str) -> str:
    return badge(effect, effect)


def is_waiting(row: ToolManifest) -> bool:
    """Whether what it has become waits for an approval."""
    return row.is_declared and row.approved_fingerprint != row.fingerprint


def state_badge(row: ToolManifest, policy: ToolPolicy | None = None) -> str:
    """Whether it can be called, and why not."""
    if not row.is_declared:
        return badge("gone", "unknown")
    if is_waiting(row):
        return badge("waits for approval", "degraded")
    if not row.enabled:
        return badge("switched off", "failed")
    if policy is not None and policy.enabled is False:
        return badge("off for the tenant", "failed")
    return badge("on", "ok")


def rate_text(requests: int | None, window_s: int | None) -> str:
    """Calls of one caller, and in how long."""
    if requests is None or window_s is None:
        return ""
    if requests == 0:
        return "nobody may call"
    length = {1: "a second", 60: "a minute", 3600: "an hour", 86400: "a day"}.get(window_s)
    return f"{requests:,} {length}" if length else f"{requests:,} in {window_s:,} s"


def approval_text(row: ToolManifest, policy: ToolPolicy | None = None) -> str:
    """When a person has to approve a call, and who says so."""
    declared = declared_approval(row)
    said = ((declared, "as its code says"), (row.approval, "for all tenants"),
            (policy.approval if policy is not None else "", "for your tenant"))  # fmt: skip
    strictest, by = max(((word, by) for word, by in said if word in APPROVALS), key=lambda one: CAREFUL.index(one[0]))
    return f"{strictest} ({by})"


def limits_text(row: ToolManifest, policy: ToolPolicy | None = None) -> str:
    """How often one caller may call it; the tenant's own limit holds besides."""
    own = rate_text(policy.rate_requests, policy.rate_window_s) if policy is not None else ""
    for_all = rate_text(row.rate_requests, row.rate_window_s)
    return f"{for_all}; in your tenant also {own}" if own else for_all


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(added, removed, place or same; line) of two declarations; all of the second when there is no first."""
    found = difflib.unified_diff(_lines(before), _lines(after), n=4, lineterm="")
    kinds = {"+": "added", "-": "removed", "@": "place", " ": "same"}
    return [(kinds[line[0]], line) for line in list(found)[2:]]


def history(alias: str, kind: str, name: str, chain: UUID = PLATFORM_CHAIN) -> list[tuple[str, str]]:
    """(heading, text) of the latest changes that the audit log holds, the newest first. Inside the fence."""
    rows = AuditLog._base_manager.using(alias).filter(tenant_id=chain, resource_id=name, resource_type=kind)
    found = list(rows.order_by("-seq")[:HISTORY_SHOWN])
    names = usernames_of(row.actor for row in found)
    return [
        (f"{row.created_at:%Y-%m-%d %H:%M:%S}: {SAYS.get(row.action, row.action)}, by {names[row.actor]}", _told(row))
        for row in found
    ]


def _told(row: AuditLog) -> str:
    """A line for each thing that changed, or that the row says otherwise."""
    changes = row.details.get("changes")
    if isinstance(changes, dict):
        return "\n".join(_moved(name, said) for name, said in sorted(changes.items()))
    said_of = row.details.get("said", row.details)
    return "\n".join(
        _moved(name, said) if name in PAIRS else f"{name}: {_short(said)}" for name, said in sorted(said_of.items())
    )


def _moved(name: str, said: Any) -> str:
    return f"{name}: {_short(said[0])} -> {_short(said[1])}" if isinstance(said, list) and len(said) == 2 else name


def _short(value: Any) -> str:
    if value in (None, "", []):
        return "nothing of its own"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return seen(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _lines(declaration: Mapping[str, Any]) -> list[str]:
    """A line for each name at the margin, and below it, indented, what it says: no text can look like another name."""
    lines: list[str] = []
    for name, said in declaration.items():
        lines.append(f"{name}:")
        lines += (f"    {line}" for line in _said(said))
    return lines


def _said(value: Any) -> Iterable[str]:
    return [seen(line) for line in value.split("\n")] if isinstance(value, str) else pretty(value).split("\n")
