"""Reads of invocations and approvals, in the caller's tenant scope: a foreign row and a missing one look the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.identity.principal import Principal
from apps.tools import approvals, registry
from apps.tools.models import APPROVED, PENDING, RUNNING, ToolApproval, ToolInvocation
from apps.tools.registry import Effective
from kernel.errors import NotFoundError
from kernel.pagination import Cursor
from kernel.tenant_context import tenant_scope

TOTAL_EXACT_UP_TO = 10_000
LOST, EXPIRED = "lost", "expired"  # what a row's time says: running when its process died; too late to decide or use


@dataclass(frozen=True, slots=True)
class InvocationFilter:
    """``owner_sub`` None: every owner of the tenant (administrators). The rest narrows; empty and None do not."""

    owner_sub: str | None
    tool: str | None = None
    statuses: tuple[str, ...] = ()
    doors: tuple[str, ...] = ()
    job_id: UUID | None = None
    since: datetime | None = None


def get_tool(principal: Principal, name: str) -> Effective:
    """A tool that the caller may call, by its name or an alias. NotFoundError when it may not, or there is none."""
    tool = registry.find(principal.tenant_id, name)
    if tool.off or not registry.may_call(principal, tool):
        raise NotFoundError(
            f"There is no tool {name[:100]!r} that you may call. GET /v1/tools lists those.", code="tool_not_found"
        )
    return tool


def canonical_name(name: str) -> str:
    """The name that rows have; itself for a tool that no code declares any more."""
    try:
        return registry.spec_of(name).name
    except NotFoundError:
        return name


def list_invocations(
    principal: Principal, wanted: InvocationFilter, *, after: Cursor | None, limit: int
) -> tuple[list[ToolInvocation], int]:
    """One page, newest first, with one row more than ``limit`` when there is a next; and the total, which is exact up
    to TOTAL_EXACT_UP_TO. Without what went in and came out."""
    with tenant_scope(principal.tenant_id):
        rows = ToolInvocation.objects.filter(tenant_id=principal.tenant_id)
        if wanted.owner_sub is not None:
            rows = rows.filter(owner_sub=wanted.owner_sub)
        if wanted.tool is not None:
            rows = rows.filter(tool=wanted.tool)
        if wanted.statuses:
            rows = rows.filter(_of_statuses(wanted.statuses))
        if wanted.doors:
            rows = rows.filter(door__in=wanted.doors)
        if wanted.job_id is not None:
            rows = rows.filter(job_id=wanted.job_id)
        if wanted.since is not None:
            rows = rows.filter(created_at__gte=wanted.since)
        return _page(rows.defer("arguments", "result"), after, limit)


def get_invocation(principal: Principal, name: str, invocation_id: UUID) -> ToolInvocation:
    """The caller's own, or any of its tenant for an administrator. NotFoundError otherwise, and for another tool's."""
    with tenant_scope(principal.tenant_id):
        row = ToolInvocation.objects.filter(id=invocation_id, tool=canonical_name(name)).first()
    if row is None or not (principal.is_admin or row.owner_sub == principal.sub):
        raise NotFoundError("There is no such invocation.", code="invocation_not_found")
    return row


def withheld(principal: Principal, name: str, arguments: Mapping[str, Any]) -> str | None:
    """Why this caller may not see what went into its call and came out; None when it may. A result is shown to who
    could ask for it now: rights that were taken away, or that this token leaves out, do not live on in the store."""
    if principal.is_admin:
        return None
    try:
        tool = registry.find(principal.tenant_id, name)
    except NotFoundError:
        return f"There is no tool {name} any more: only administrators see what it was given and gave."
    missing = registry.lacks(principal, tool.called_with(arguments))
    return None if missing is None else f"{name} needs {missing}, which you do not have now."


def list_approvals(
    principal: Principal, statuses: Sequence[str], *, after: Cursor | None, limit: int
) -> tuple[list[ToolApproval], int]:
    """A page of those that the caller may see, as list_invocations: without the arguments."""
    with tenant_scope(principal.tenant_id):
        rows = approvals.visible_to(principal)
        if statuses:
            gone = Q(status__in=(PENDING, APPROVED), expires_at__lte=Now())
            known = Q(status__in=[status for status in statuses if status != EXPIRED]) & ~gone
            rows = rows.filter(known | gone if EXPIRED in statuses else known)
        return _page(rows.defer("arguments"), after, limit)


def get_approval(principal: Principal, approval_id: UUID) -> ToolApproval:
    """NotFoundError when it is not there for this caller."""
    with tenant_scope(principal.tenant_id):
        row: ToolApproval | None = approvals.visible_to(principal).filter(id=approval_id).first()
    if row is None:
        raise NotFoundError("There is no such approval.", code="approval_not_found")
    return row


def _of_statuses(statuses: Sequence[str]) -> Q:
    lost = Q(status=RUNNING, lost_at__lt=Now())
    known = Q(status__in=[status for status in statuses if status != LOST]) & ~lost
    return known | lost if LOST in statuses else known


def _page(rows: QuerySet[Any], after: Cursor | None, limit: int) -> tuple[list[Any], int]:
    total = rows.order_by()[:TOTAL_EXACT_UP_TO].count()
    if after is not None:
        rows = rows.filter(Q(created_at__lt=after.created_at) | Q(created_at=after.created_at, id__lt=after.id))
    return list(rows.order_by("-created_at", "-id")[: limit + 1]), total
