"""Every tool's worked example, as docs/reference/tools.md shows it: called over REST on a tenant with a graph, a
session, a run, a job and a file of the caller's own. Those that destroy come last."""

from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest

from apps.graph.seeding.generator import DEFAULT_SEED
from apps.graph.seeding.sowing import sow
from apps.tools.spec import DECLARED, EFFECTS, ToolSpec
from tests.clients import Answer, Api, wait_for
from tests.factories import make_tenant, make_token, platform_tenant

pytestmark = pytest.mark.requirement("tools:examples")
USERS = 4
ORDER = sorted(DECLARED.values(), key=lambda spec: (EFFECTS.index(spec.effect), spec.name))


@pytest.fixture(scope="module")
def place(api_url: str, worker: Any) -> "Place":
    return Place(api_url)


class Place:
    """A seeded tenant, and one person who is whatever an example's role says."""

    def __init__(self, api_url: str) -> None:
        self.api_url = api_url
        self.tenant = make_tenant()
        self.sub = f"person-{uuid4().hex[:8]}"
        sow(self.tenant.id, users=USERS, seed=DEFAULT_SEED)
        person = self.caller("user")
        session = person.post("/v1/sessions", {"title": "Examples"}).json["session_id"]
        person.post(f"/v1/sessions/{session}/steps", {"type": "user", "message": "Which tasks are done?"})
        run = person.post("/v1/agent-runs", {"prompt": "What is 6 * 7?", "session_id": session}).json["run_id"]
        job = person.submit("test", {"text": "done"})
        table = b"id,symbol\ngene-x,BRCA1\n"
        sent = person.request("POST", "/v1/files?name=genes.csv", table, Content_Type="text/csv")
        assert sent.status == 201, sent.body
        self.stands_for = {
            "$session": session, "$run": run, "$job": job, "$file": sent.json["id"], "$tenant": str(self.tenant.id),
        }  # fmt: skip
        person.wait_until(job, "finished")
        wait_for(
            lambda: person.get(f"/v1/agent-runs/{run}").json["status"] == "succeeded",
            what="the run's end",
            every_s=0.1,
        )

    def caller(self, role: str) -> Api:
        """``platform``: an administrator of the platform's tenant, who acts for nobody else."""
        of, role = (platform_tenant(), "admin") if role == "platform" else (self.tenant, role)
        return Api(self.api_url, make_token(of, role, self.sub))

    def filled(self, value: Any) -> Any:
        """With real ids where the example has names for them."""
        if isinstance(value, dict):
            return {key: self.filled(part) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.filled(part) for part in value]
        return self.stands_for.get(value, value) if isinstance(value, str) else value


def called(caller: Api, spec: ToolSpec, arguments: dict[str, Any]) -> Answer:
    """The answer, with the person's approval where the tool asks for one."""
    path = f"/v1/tools/{spec.name}/invocations"
    answer = caller.request("POST", path, {"args": arguments}, timeout_s=60)
    if answer.status == 409 and answer.json["code"] == "approval_required":
        waits = answer.json["extensions"]
        word = {"decision": "approve", "arguments_sha256": waits["arguments_sha256"]}
        assert caller.post(f"/v1/tools/approvals/{waits['approval_id']}", word).status == 200
        answer = caller.request("POST", path, {"args": arguments}, timeout_s=60)
    return answer


@pytest.mark.parametrize("name", [spec.name for spec in ORDER])
def test_the_example_of_a_tool_works(place: Place, name: str) -> None:
    spec = DECLARED[name]
    caller = place.caller("platform" if spec.platform else spec.example_role)
    arguments = place.filled(spec.example)

    answer = called(caller, spec, arguments)

    assert answer.status == (202 if is_job(spec, arguments) else 201), answer.body
    said = answer.json
    if answer.status == 202:
        job = caller.wait_until(said["job_id"], "finished", "failed", "cancelled")
        assert job["status"] == "finished", job["error"]
        said = job["result"]
    assert said["ok"], said["error"]
    assert faults(spec, said["result"]) == []


def is_job(spec: ToolSpec, arguments: dict[str, Any]) -> bool:
    return spec.long_running and arguments.get("action") not in spec.reading_actions


def faults(spec: ToolSpec, result: dict[str, Any]) -> list[str]:
    """What the output schema says against a result, without the two fields that the door put beside it."""
    declared = spec.output_schema.get("properties", {})
    own = {key: value for key, value in result.items() if key in declared or key not in ("ok", "action")}
    validator = jsonschema_rs.validator_for(spec.output_schema)
    return [f"{list(fault.instance_path)}: {fault.message}" for fault in validator.iter_errors(own)]
