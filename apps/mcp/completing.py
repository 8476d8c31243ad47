"""completion/complete: ids of the caller's own latest runs and jobs, where a prompt or a resource names one."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from mcp_types import CompleteRequestParams

from apps.agents.runs import selectors as run_selectors
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.jobs import selectors as job_selectors
from apps.mcp.prompts import find
from apps.mcp.resources import template

LATEST = 100  # are looked at; the protocol takes no more values


def completed(principal: Principal, asked: CompleteRequestParams) -> dict[str, Any]:
    """The result of completion/complete, newest first; no values for what anything may stand in. NotFoundError for a
    prompt or a resource that is not offered. Waits: call it in a thread."""
    name, begun = asked.argument.name, asked.argument.value.lower()
    if asked.ref.type == "ref/prompt":
        source = _OF_PROMPTS.get(name) if name in find(asked.ref.name).arguments else None
    else:
        source = _OF_TEMPLATES.get(template(principal, asked.ref.uri).name) if name == "id" else None
    found = [] if source is None else source(principal)
    values = [str(one) for one in found[:LATEST] if str(one).startswith(begun)]
    return {"completion": {"values": values, "hasMore": len(found) > LATEST}, "resultType": "complete"}


def _runs(principal: Principal) -> list[UUID]:
    may = rbac.may(principal, "agent-runs:read")
    return run_selectors.latest_ids(principal, limit=LATEST + 1) if may else []


def _jobs(principal: Principal) -> list[UUID]:
    may = rbac.may(principal, "jobs:read")
    return job_selectors.latest_ids(principal, limit=LATEST + 1) if may else []


_Source = Callable[[Principal], list[UUID]]
_OF_PROMPTS: dict[str, _Source] = {"run_id": _runs, "job_id": _jobs}
_OF_TEMPLATES: dict[str, _Source] = {"run": _runs, "job": _jobs}
