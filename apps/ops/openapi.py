"""What every operation of the OpenAPI document has in common: errors, permissions, and paths left out.

drf-spectacular reads the views; the hook adds what the layers in front of them answer, so that no status goes
undocumented.
"""

from typing import Any

from pydantic import BaseModel, Field

from apps.identity.access import PUBLIC, ROUTES, SIGNED_IN
from kernel.web.problem import MEDIA_TYPE

# The predecessor's paths to the same views: they answer, and are described once, under SPEC's path.
ALIASES = (
    "/v1/agents/sessions", "/v1/agent-runs:run", "/v1/admin/tenants", "/v1/admin/models/instances",
    "/v1/admin/models/defaults", "/v1/admin/models/usage", "/v1/admin/models/budget",
)  # fmt: skip
BODY_METHODS = frozenset({"post", "put", "patch"})
PROBLEMS = {
    "400": "The request cannot be understood.",
    "401": "No token, or one that is not valid.",
    "403": "The caller may not do this; `extensions.required_permission` says what is missing.",
    "404": "There is no such thing, or it is somebody else's.",
    "405": "The route does not have this method.",
    "406": "The resource cannot be shown as the client wants it.",
    "409": "Somebody was first, or the state does not allow it.",
    "412": "The resource is not the version that If-Match names.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "416": "The file does not have this range; `extensions.size_bytes` says how long it is.",
    "422": "The body is well-formed and wrong; `errors` lists every fault with its path.",
    "428": "Say with If-Match which version you mean to change.",
    "429": "Too many requests; come back after `Retry-After` seconds.",
    "502": "A provider did not do what it was asked.",
    "503": "Something the platform needs is down; try again after `Retry-After` seconds.",
    "504": "A provider did not answer in time.",
    "507": "The platform's disk is full; its operator has to make room.",
}


class FieldFault(BaseModel):
    """One fault of a body."""

    loc: list[str | int] = Field(description="Path to the field, from `body` on.")
    msg: str
    type: str


class Problem(BaseModel):
    """Every error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str = Field(description="A sentence for a person.")
    instance: str
    code: str = Field(description="Stable; for machines.")
    request_id: str
    correlation_id: str
    trace_id: str = Field("", description="W3C trace id.")
    extensions: dict[str, Any]
    errors: list[FieldFault] | None = None


def without_aliases(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """PREPROCESSING_HOOKS: each resource under one path."""
    return [endpoint for endpoint in endpoints if endpoint[0] != "/v1" and not endpoint[0].startswith(ALIASES)]


def complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """POSTPROCESSING_HOOKS: the errors of every operation, and the permission it needs as `x-permission`."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for model in (FieldFault, Problem):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    needs_of = {_as_openapi(route): methods for route, methods in ROUTES.items()}
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if method in ("get", "post", "put", "patch", "delete"):
                _complete(path, method, operation, needs_of.get(path, {}).get(method.upper(), SIGNED_IN))
    return result


def _as_openapi(route: str) -> str:
    """/v1/jobs/<str:job_id> -> /v1/jobs/{job_id}"""
    parts = [f"{{{part[1:-1].split(':')[-1]}}}" if part.startswith("<") else part for part in route.split("/")]
    return "/".join(parts)


def _complete(path: str, method: str, operation: dict[str, Any], needs: str) -> None:
    statuses = {"400", "429", "503"}
    if needs == PUBLIC:
        operation["security"] = [{}]
    else:
        statuses |= {"401", "403"}
        operation["x-permission"] = needs
    if "{" in path:
        statuses.add("404")
    if method != "get":
        statuses.add("409")
    if method in BODY_METHODS:
        statuses |= {"413", "415", "422"}
    if any(parameter.get("name") == "If-Match" for parameter in operation.get("parameters", [])):
        statuses |= {"412", "428"}
    answers = operation.setdefault("responses", {})
    statuses |= {status for status in answers.keys() & PROBLEMS.keys() if "content" not in answers[status]}
    for status in sorted(status for status in statuses if "content" not in answers.get(status, {})):
        answers[status] = {
            "description": PROBLEMS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation["responses"] = dict(sorted(answers.items()))
