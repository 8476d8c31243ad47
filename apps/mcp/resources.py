"""Resources: the graph's schema, a run, a job. What is another's looks like what never was."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from apps.agents.runs import selectors as run_selectors
from apps.agents.runs.shown import run_out
from apps.graph.documents import schema_document
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.jobs import selectors as job_selectors
from apps.jobs.schemas import job_out
from apps.mcp.visits import Visit
from apps.tools.errors import OutputTooLarge
from apps.tools.pipeline import OUTPUT_BYTES
from kernel.errors import NotFoundError

JSON = "application/json"
_ID = r"([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})"


@dataclass(frozen=True, slots=True)
class Resource:
    """``uri``: with {id} where it names one of many. ``route``: its like in the REST API, which shows the same."""

    uri: str
    name: str
    title: str
    description: str
    permission: str
    route: str
    read: Callable[[Principal, UUID], Any]

    @property
    def is_template(self) -> bool:
        return "{id}" in self.uri

    def id_in(self, uri: str) -> UUID | None:
        """The id that this URI names; some id where it is of one thing; None where it is not this resource's."""
        match = re.fullmatch(re.escape(self.uri).replace(re.escape("{id}"), _ID), uri, re.ASCII)
        if match is None:
            return None
        return UUID(match[1]) if self.is_template else UUID(int=0)


def _run(principal: Principal, run_id: UUID) -> Any:
    run = run_selectors.get_run(principal, run_id)
    return run_out(run, run_selectors.list_steps(run))


def _job(principal: Principal, job_id: UUID) -> Any:
    job = job_selectors.get_job(principal, job_id)
    return job_out(job, job_selectors.withheld(principal, job))


RESOURCES = (
    Resource(
        "cineca://graph/schema",
        "graph-schema",
        "Schema of the graph",
        "Labels, relationship types and properties of your tenant's graph, and how many there are.",
        "graph:read",
        "v1/graph/schema",
        lambda principal, _: schema_document(principal.tenant_id),
    ),
    Resource(
        "cineca://runs/{id}",
        "run",
        "A run of an agent",
        "A run that you started, with its plan, its steps and its answer. The id is a UUID.",
        "agent-runs:read",
        "v1/agent-runs/<str:run_id>",
        _run,
    ),
    Resource(
        "cineca://jobs/{id}",
        "job",
        "A job",
        "A job that you submitted, with its state, its progress and its result. The id is a UUID.",
        "jobs:read",
        "v1/jobs/<str:job_id>",
        _job,
    ),
)


def listed(principal: Principal) -> dict[str, Any]:
    """The result of resources/list."""
    found = [
        {"uri": one.uri, "name": one.name, "title": one.title, "description": one.description, "mimeType": JSON}
        for one in _readable(principal)
        if not one.is_template
    ]
    return {"resources": found, "ttlMs": 0, "cacheScope": "private", "resultType": "complete"}


def templates(principal: Principal) -> dict[str, Any]:
    """The result of resources/templates/list."""
    found = [
        {"uriTemplate": one.uri, "name": one.name, "title": one.title, "description": one.description, "mimeType": JSON}
        for one in _readable(principal)
        if one.is_template
    ]
    return {"resourceTemplates": found, "ttlMs": 0, "cacheScope": "private", "resultType": "complete"}


def template(principal: Principal, uri: str) -> Resource:
    """The template of this URI that the caller may read, or NotFoundError."""
    for one in _readable(principal):
        if one.is_template and one.uri == uri:
            return one
    raise NotFoundError("There is no such resource template. resources/templates/list names them.", uri=uri)


def read(principal: Principal, uri: str) -> tuple[Resource, bytes]:
    """The resource and its JSON. NotFoundError, ForbiddenError, OutputTooLarge. Waits: call it in a thread."""
    for one in RESOURCES:
        named = one.id_in(uri)
        if named is not None:
            rbac.require(principal, one.permission)
            try:
                return one, _bounded(one, to_json(one.read(principal, named)))
            except NotFoundError as error:
                raise NotFoundError(error.detail, code=error.code, uri=uri) from error
    raise NotFoundError("There is no such resource. resources/list and resources/templates/list name them.", uri=uri)


def shown(visit: Visit, uri: str, resource: Resource, document: bytes) -> dict[str, Any]:
    """The result of resources/read, without personal data. On the event loop."""
    text = visit.passage.clean(document, resource.route).decode()
    contents = [{"uri": uri, "mimeType": JSON, "text": text}]
    return {"contents": contents, "ttlMs": 0, "cacheScope": "private", "resultType": "complete"}


def _readable(principal: Principal) -> list[Resource]:
    return [one for one in RESOURCES if rbac.may(principal, one.permission)]


def _bounded(resource: Resource, document: bytes) -> bytes:
    if len(document) > OUTPUT_BYTES:
        raise OutputTooLarge(
            f"This {resource.title.lower()} is {len(document):,} bytes; one message holds at most {OUTPUT_BYTES:,}. "
            f"Read it as /{resource.route}."
        )
    return document
