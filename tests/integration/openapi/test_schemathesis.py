"""The OpenAPI document against the running API: every operation, as every role, with what schemathesis makes up.

No answer may be a 5xx, have a status or a media type that is not documented, or a body that its schema refuses.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from apps.identity.rbac import MATRIX, PERMISSIONS, ROLES
from tests.clients import Api
from tests.factories import make_tenant, make_token

EXAMPLES = 8  # a role and operation that it may use
EXAMPLES_REFUSED = 2  # and one that it may not
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# A stream does not end while its job runs: tests/integration/streams reads it.
STREAMS = {"GET /v1/jobs/{job_id}/events", "GET /v1/agent-runs/{run_id}/events"}


@pytest.fixture(scope="module")
def document(api_url: str) -> dict[str, Any]:
    return dict(Api(api_url).get("/v1/openapi.json").json)


@pytest.fixture(scope="module")
def schema(api_url: str, document: dict[str, Any]) -> Any:
    loaded = schemathesis.openapi.from_dict(document)
    loaded.config.update(base_url=api_url)
    return loaded


@pytest.fixture(scope="module")
def real_ids(api_url: str, worker: Any) -> Callable[[str, str], dict[str, list[str]]]:
    """Things that exist and belong to the caller, so that not every path ends in a 404."""

    def make(token: str, role: str) -> dict[str, list[str]]:
        api = Api(api_url, token)
        found: dict[str, list[str]] = {
            "job_id": [], "run_id": [], "session_id": [], "step_id": [], "name": ["postgres", "default", "system.time"],
        }  # fmt: skip
        for path, name, body in (
            ("/v1/jobs", "job_id", {"type": "test"}),
            ("/v1/jobs", "job_id", {"type": "demo", "payload": {"duration_ms": 50}}),
            ("/v1/sessions", "session_id", {"title": "made up"}),
            ("/v1/agent-runs", "run_id", {"prompt": "What is 6 * 7?"}),
        ):
            answer = api.post(path, body)
            if answer.status in (201, 202):
                found[name].append(answer.json[name])
        if api.post("/v1/agents", {"name": "made-up"}).status == 201:
            found["name"].append("made-up")
        provider = api.post("/v1/admin/models/providers/register", {"name": "made-up", "type": "demo"})
        if provider.status == 201:
            found["provider_id"] = [provider.json["id"]]
            body = {"provider_id": provider.json["id"], "instance_name": "made-up", "model_id": "demo"}
            found["instance_id"] = [api.post("/v1/models/instances", body).json["id"]]
        call = api.post("/v1/tools/system.time/invocations", {})
        if call.status == 201:
            found["invocation_id"] = [call.json["id"]]
        file = api.request("POST", "/v1/files?name=made-up", b"content", Content_Type="text/plain")
        if file.status == 201:
            found["file_id"] = [file.json["id"]]
        for session_id in found["session_id"]:
            step = api.post(f"/v1/sessions/{session_id}/steps", {"type": "user", "message": "hello"})
            found["step_id"].append(step.json["step_id"])
        return found

    return make


@pytest.mark.requirement("openapi:conformance")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("role", "mode"),
    [
        *((role, GenerationMode.POSITIVE) for role in sorted(ROLES)),
        *((role, GenerationMode.NEGATIVE) for role in ("admin", "user", "viewer")),
    ],
)
def test_every_operation_keeps_its_word(
    role: str, mode: GenerationMode, schema: Any, real_ids: Callable[[str, str], dict[str, list[str]]]
) -> None:
    tenant = make_tenant()
    token = make_token(tenant, role=role)
    known = real_ids(token, role) | {"tenant_id": [str(tenant.id)]}
    headers = {"Authorization": f"Bearer {token}"}
    called = set()

    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.label in STREAMS:
            continue
        needs = operation.definition.raw.get("x-permission")
        needs = needs if needs in PERMISSIONS else None

        @settings(
            max_examples=EXAMPLES if needs is None or needs in MATRIX[role] else EXAMPLES_REFUSED,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        def call(case: Any, data: st.DataObject) -> None:
            for name in case.path_parameters or {}:
                if known.get(name) and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(known[name]))
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=60)
            called.add(case.operation.label)

        with suppress(Unsatisfiable):  # where nothing is asked for nothing can be wrong
            call()

    assert len(called) >= 20, sorted(called)


@pytest.mark.requirement("openapi:examples")
def test_examples_of_the_document_fit_their_schemas(document: dict[str, Any]) -> None:
    import jsonschema_rs

    missing = []
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            whole = {**document, "$ref": f"#/components/schemas/{name}"}
            validator = jsonschema_rs.validator_for({"$ref": whole["$ref"], "components": document["components"]})
            assert validator.is_valid(example), (name, json.dumps(example))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            target = body.get("$ref", "").rsplit("/", 1)[-1]
            if target and not document["components"]["schemas"][target].get("examples"):
                missing.append(f"{method} {path}: {target}")

    assert missing == []
