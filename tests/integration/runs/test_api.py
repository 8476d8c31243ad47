"""/v1/agent-runs as a client sees it: accepted at once, read while it goes on, and whole at its end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.agents.models import AgentRun, Session
from apps.identity.principal import Principal
from apps.jobs.models import Job
from apps.tenancy.models import Tenant
from kernel.tenant_context import tenant_scope
from tests.by_hand_runs import HandRun
from tests.clients import Api
from tests.factories import make_token
from tests.integration.runs.runs_api import PATH, ended, run, start, started


@pytest.mark.requirement("runs:api-create")
def test_a_run_is_accepted_at_once_and_answers(api: Api, worker: Any, tenant: Tenant, principal: Principal) -> None:
    answer = start(api, temperature=0.1, metadata={"ticket": 7})
    accepted = answer.json

    done = ended(api, accepted["run_id"])

    assert answer.status == 201
    assert answer.headers["location"].endswith(f"{PATH}/{accepted['id']}")
    assert answer.headers["idempotency-replayed"] == "false"
    assert "x-job-id" not in answer.headers
    assert (accepted["id"], accepted["status"], accepted["execution_mode"]) == (accepted["run_id"], "queued", "tasks")
    assert (accepted["outputs"], accepted["steps"], accepted["todos"], accepted["metrics"]) == ([], [], [], {})
    assert (done["status"], done["tenant_id"], done["owner"]) == ("succeeded", str(tenant.id), principal.sub)
    assert "42" in done["text"]
    assert done["output"]["text"] == done["text"]
    assert {"type": "text", "text": done["text"]} in done["outputs"]
    assert (done["goal"], done["metadata"], done["temperature"]) == ("What is 6 * 7?", {"ticket": 7}, 0.1)
    assert done["phase"] == "done" and done["error"] is None and done["errors"] == []
    assert done["intent"]["category"] == "CHAT"
    assert [todo["status"] for todo in done["todos"]] == ["completed"] * len(done["todos"])
    assert len(done["steps"]) == len(done["todos"]) >= 1
    assert done["total_llm_calls"] >= 1 and done["latency_ms"] == done["duration_ms"] >= 0


@pytest.mark.requirement("runs:api-read")
def test_a_step_is_recorded_as_specified_and_listed_as_a_bare_array(api: Api, worker: Any) -> None:
    done = ended(api, started(api))

    steps = api.get(f"{PATH}/{done['id']}/steps")
    outputs = api.get(f"{PATH}/{done['id']}/outputs")

    assert steps.json == done["steps"]
    assert outputs.json == done["outputs"]
    step = steps.json[0]
    assert {"id", "action", "input", "output", "latency_ms", "started_at", "finished_at"} <= step.keys()
    assert (step["index"], step["attempt"], step["status"], step["type"]) == (0, 1, "completed", "step")
    assert step["id"] == step["step_id"] and UUID(step["id"])
    assert datetime.fromisoformat(step["started_at"]) <= datetime.fromisoformat(step["finished_at"])
    assert step["latency_ms"] >= 0 and step["tokens"] >= 0 and len(step["input_hash"]) == 64


@pytest.mark.requirement("runs:api-read")
def test_before_its_end_lists_are_empty_and_never_null(api: Api, principal: Principal) -> None:
    queued = run(api, str(HandRun(principal).id))

    assert (queued["status"], queued["phase"], queued["text"], queued["latency_ms"]) == ("queued", "classify", "", None)
    assert [queued[name] for name in ("outputs", "steps", "todos", "errors", "warnings")] == [[], [], [], [], []]
    assert (queued["metrics"], queued["output"], queued["intent"]) == ({}, None, None)


@pytest.mark.requirement("runs:api-read")
def test_a_failed_run_says_why(api: Api, principal: Principal) -> None:
    failed = run(api, str(HandRun(principal).claim().finish("failed").id))

    assert failed["status"] == "failed"
    assert failed["error"] == {"message": "by hand", "reason": "by_hand"}
    assert failed["errors"] == [failed["error"]]


@pytest.mark.requirement("runs:api-read")
def test_reading_answers_304_until_something_changes(api: Api, worker: Any) -> None:
    run_id = started(api)
    first = api.get(f"{PATH}/{run_id}")

    done = ended(api, run_id)
    final = api.get(f"{PATH}/{run_id}")
    quoted = api.get(f"{PATH}/{run_id}", If_None_Match=final.headers["etag"])
    bare = api.get(f"{PATH}/{run_id}", If_None_Match=final.headers["etag"].strip('"'))
    old = api.get(f"{PATH}/{run_id}", If_None_Match=first.headers["etag"])

    assert (quoted.status, bare.status, quoted.body) == (304, 304, b"")
    assert (old.status, old.json["status"]) == (200, done["status"])
    assert first.headers["etag"] != final.headers["etag"]


@pytest.mark.requirement("runs:api-jobs")
def test_a_run_by_a_job_names_it_and_is_named_by_it(api: Api, worker: Any, tenant: Tenant) -> None:
    answer = start(api, query="?use_jobs=true")
    accepted = answer.json

    done = ended(api, accepted["run_id"])
    job = api.wait_until(accepted["job_id"], "finished", "failed")

    assert answer.status == 202
    assert answer.headers["x-job-id"] == accepted["job_id"]
    assert accepted["execution_mode"] == "jobs_worker"
    assert (done["status"], done["job_id"]) == ("succeeded", accepted["job_id"])
    assert (job["type"], job["status"], job["payload"]["run_id"]) == ("agent.run", "finished", accepted["run_id"])
    assert (job["result"]["run_id"], job["result"]["status"]) == (accepted["run_id"], "succeeded")


@pytest.mark.requirement("runs:api-idempotency")
def test_a_repeat_with_its_key_makes_one_run_and_says_the_same(api: Api, colleague: Api, tenant: Tenant) -> None:
    key = uuid4().hex

    first = start(api, key=key)
    again = start(api, key=key)
    other_body = start(api, "Another question", key=key)
    by_job = start(api, query="?use_jobs=true", key=key)
    of_a_colleague = start(colleague, key=key)

    assert (first.status, again.status) == (201, 200)
    assert (first.headers["idempotency-replayed"], again.headers["idempotency-replayed"]) == ("false", "true")
    assert again.body == first.body
    assert (other_body.status, other_body.json["code"]) == (422, "idempotency_key_reused")
    assert by_job.status == 422
    assert of_a_colleague.json["id"] != first.json["id"]
    with tenant_scope(tenant.id):
        assert AgentRun.objects.count() == 2


@pytest.mark.requirement("runs:api-idempotency")
def test_the_same_key_at_once_makes_one_run(api: Api, tenant: Tenant) -> None:
    key = uuid4().hex

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: start(api, query="?use_jobs=true", key=key), range(8)))

    assert {answer.status for answer in answers} <= {200, 202, 409}
    assert len({answer.json["id"] for answer in answers if answer.status != 409}) == 1
    with tenant_scope(tenant.id):
        assert (AgentRun.objects.count(), Job.objects.count()) == (1, 1)


@pytest.mark.requirement("runs:api-create")
@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": "nul \0"}, "prompt"),
        ({"temperature": 2.5}, "temperature"),
        ({"max_steps": 65}, "max_steps"),
        ({"max_steps": "4"}, "max_steps"),
        ({"session_id": "x"}, "session_id"),
        ({"mode": "sometimes"}, "mode"),
        ({"budget": {"gold": 1}}, "budget"),
        ({"model": "DROP TABLE runs; --"}, "model"),
        ({"unknown": 1}, "unknown"),
        ({"principal": {"roles": ["admin"]}}, "principal"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_by_name(api: Api, fields: dict[str, Any], where: str) -> None:
    answer = api.post(PATH, {"prompt": "Hello", **fields})

    assert answer.status == 422
    assert [fault["loc"][1] for fault in answer.json["errors"]] == [where]


@pytest.mark.requirement("runs:api-create")
def test_what_a_request_names_must_be_there(api: Api, stranger: Api) -> None:
    foreign = stranger.post("/v1/sessions", {}).json["id"]

    no_agent = start(api, agent="nobody")
    no_session = start(api, session_id=foreign)
    two_agents = start(api, agent="default", manager="other")
    bad_parameter = start(api, query="?use_jobs=perhaps")

    assert (no_agent.status, no_agent.json["code"]) == (404, "agent_not_found")
    assert (no_session.status, no_session.json["code"]) == (404, "session_not_found")
    assert two_agents.status == 422
    assert bad_parameter.status == 400


@pytest.mark.requirement("runs:api-create")
def test_the_predecessors_fields_and_address_are_taken(api: Api, worker: Any) -> None:
    body = {
        "prompt": "What is 6 * 7?", "manager": "default", "preferred_workers": ["a"], "agent_role": "user", "tools": [],
        "llm_preferences": {"model": "demo"}, "temperature": 0.2, "max_steps": 3, "metadata": {},
        "force_full_agentic": False,
    }  # fmt: skip

    answer = api.post(f"{PATH}:run", body)
    done = ended(api, answer.json["run_id"])

    assert answer.status == 201
    assert (done["status"], done["manager"], done["model"], done["max_steps"]) == ("succeeded", "default", "demo", 3)


@pytest.mark.requirement("runs:limits")
def test_a_role_in_the_body_gives_no_right(api: Api, admin: Api) -> None:
    asked_up = start(api, agent_role="admin")
    own = start(admin, agent_role="admin")

    assert (asked_up.status, asked_up.json["code"]) == (403, "role_not_held")
    assert own.status == 201


@pytest.mark.requirement("runs:sessions")
def test_a_run_without_a_session_begins_one_and_the_next_can_go_on_in_it(api: Api, worker: Any, tenant: Tenant) -> None:
    first = ended(api, started(api, "My name is Ada. What is 6 * 7?"))

    second = ended(api, started(api, "What is 2 + 3?", session_id=first["session_id"]))
    said = api.get(f"/v1/sessions/{first['session_id']}/steps").json["items"]
    listed = api.get(f"/v1/sessions/{first['session_id']}/runs").json
    filtered = api.get(f"{PATH}?session_id={first['session_id']}").json

    assert first["session_id"] is not None
    assert second["session_id"] == first["session_id"]
    assert [(step["type"], step["message"]) for step in said] == [
        (who, seen[name]) for seen in (first, second) for who, name in (("user", "prompt"), ("assistant", "text"))
    ]
    assert [row["id"] for row in listed["items"]] == [second["id"], first["id"]]
    assert filtered["items"] == listed["items"] and listed["total"] == 2
    with tenant_scope(tenant.id):
        assert Session.objects.count() == 1


@pytest.mark.requirement("runs:sessions")
def test_what_a_session_does_not_say_is_its_agents_to_say(api: Api, admin: Api) -> None:
    admin.post("/v1/agents", {"name": "brief", "max_steps": 3, "temperature": 0.7})
    begun = run(api, started(api, agent="brief"))["session_id"]
    said = api.post("/v1/sessions", {"max_steps": 2, "temperature": 0.1}).json

    silent = run(api, started(api, agent="brief", session_id=begun))
    spoken = run(api, started(api, agent="brief", session_id=said["id"]))
    shown = api.get(f"/v1/sessions/{begun}").json

    assert (silent["max_steps"], silent["temperature"]) == (3, 0.7)
    assert (spoken["max_steps"], spoken["temperature"]) == (2, 0.1)
    assert (shown["max_steps"], shown["temperature"]) == (8, 0.2)


@pytest.mark.requirement("runs:sessions")
def test_a_session_takes_away_rights_and_tools_of_its_runs(admin: Api, tenant: Tenant) -> None:
    session = admin.post("/v1/sessions", {"agent_role": "admin", "tools": ["graph.query", "cache.get"]}).json

    wider = started(admin, session_id=session["id"], tools=["graph.query", "admin.drop_index"])
    plain = started(admin, session_id=session["id"])

    with tenant_scope(tenant.id):
        rows = {str(row.id): row for row in AgentRun.objects.all()}
    assert rows[wider].agent_json["tools"] == ["graph.query"]
    assert rows[plain].agent_json["tools"] == ["graph.query", "cache.get"]
    assert rows[plain].principal_json["roles"] == ["admin"]


@pytest.mark.requirement("runs:api-list")
def test_the_list_shows_ones_own_newest_first_in_pages(api: Api, colleague: Api, admin: Api) -> None:
    mine = [started(api, f"Question {number}") for number in range(3)]
    theirs = started(colleague)

    first = api.get(f"{PATH}?limit=2").json
    second = api.get(f"{PATH}?limit=2&page_token={first['next_page_token']}").json
    everybodys = admin.get(f"{PATH}?all=true").json
    administrators_own = admin.get(PATH).json
    foreign_token = colleague.get(f"{PATH}?limit=2&page_token={first['next_page_token']}")

    assert [row["id"] for row in first["items"]] == [mine[2], mine[1]]
    assert [row["id"] for row in second["items"]] == [mine[0]]
    assert (first["total"], first["has_more"], second["has_more"], second["offset"]) == (3, True, False, 2)
    assert {row["id"] for row in everybodys["items"]} == {*mine, theirs}
    assert administrators_own["items"] == []
    assert (foreign_token.status, foreign_token.json["code"]) == (400, "invalid_cursor")


@pytest.mark.requirement("runs:api-list")
def test_the_list_is_filtered(api: Api, admin: Api, worker: Any) -> None:
    admin.post("/v1/agents", {"name": "brief", "max_steps": 1})
    done = ended(api, started(api, agent="brief"))
    other = ended(api, started(api))

    def found(query: str) -> list[str]:
        answer = api.get(f"{PATH}?{query}")
        assert answer.status == 200, answer.body
        return [row["id"] for row in answer.json["items"]]

    assert found("agent=brief") == [done["id"]]
    assert found("status=succeeded,failed") == [other["id"], done["id"]]
    assert found("status=queued") == []
    assert found(f"created_after={other['created_at'].replace('+', '%2B')}") == [other["id"]]
    assert found(f"created_before={other['created_at'].replace('+', '%2B')}") == [done["id"]]
    assert found(f"session_id={done['session_id']}") == [done["id"]]
    assert [api.get(f"{PATH}?{query}").status for query in ("status=x", "created_after=x", "session_id=x", "x=1")] == [
        400
    ] * 4


@pytest.mark.requirement("runs:api-foreign")
def test_others_runs_are_as_missing_as_none(api: Api, colleague: Api, stranger: Api, admin: Api) -> None:
    run_id = started(api)

    def answers(caller: Api, path: str) -> list[tuple[int, str]]:
        tried = [caller.get(f"{path}{rest}") for rest in ("", "/steps", "/outputs", "/tape", "/events?format=json")]
        tried += [caller.delete(path), caller.post(f"{path}/resume")]
        return [(answer.status, answer.json["code"]) for answer in tried]

    assert answers(colleague, f"{PATH}/{run_id}") == [(404, "run_not_found")] * 7
    assert answers(stranger, f"{PATH}/{run_id}") == [(404, "run_not_found")] * 7
    assert answers(api, f"{PATH}/{uuid4()}") == [(404, "run_not_found")] * 7
    assert answers(api, f"{PATH}/not-a-uuid") == [(400, "invalid_run_id")] * 7
    assert admin.get(f"{PATH}/{run_id}").status == 200


@pytest.mark.requirement("runs:api-tape")
def test_the_tape_is_its_owners_alone(api: Api, admin: Api, worker: Any) -> None:
    done = ended(api, started(api))

    tape = api.get(f"{PATH}/{done['id']}/tape")
    refused = admin.get(f"{PATH}/{done['id']}/tape")

    assert tape.json["total"] == len(tape.json["items"]) >= 1
    assert {entry["kind"] for entry in tape.json["items"]} <= {"model", "tool", "graph", "session"}
    assert all(entry["answered_at"] for entry in tape.json["items"])
    assert (refused.status, refused.json["code"]) == (403, "not_the_owner")


@pytest.mark.requirement("runs:api-cancel")
def test_a_run_that_has_not_begun_is_cancelled_at_once_and_a_second_time_is_no_fault(
    api: Api, principal: Principal
) -> None:
    path = f"{PATH}/{HandRun(principal).id}"

    first, second = api.delete(path), api.delete(path)

    assert (first.status, first.json["status"]) == (202, "cancelled")
    assert (second.status, second.json) == (200, first.json)
    assert api.get(path).json["status"] == "cancelled"


@pytest.mark.requirement("runs:api-cancel")
def test_a_run_in_a_workers_hands_is_told(api: Api, principal: Principal) -> None:
    held = HandRun(principal).claim()

    told = api.delete(f"{PATH}/{held.id}")
    seen = run(api, str(held.id))

    assert (told.status, told.json["status"]) == (202, "running")
    assert seen["status"] == "running" and seen["cancel_requested_at"] is not None


@pytest.mark.requirement("runs:api-resume")
def test_a_failed_run_goes_on_and_succeeds(api: Api, admin: Api, worker: Any, principal: Principal) -> None:
    failed = HandRun(principal, "What is 6 * 7?").claim().finish("failed")
    path = f"{PATH}/{failed.id}"

    by_admin = admin.post(f"{path}/resume")
    answer = api.post(f"{path}/resume")
    done = ended(api, str(failed.id))

    assert (by_admin.status, by_admin.json["code"]) == (403, "not_the_owner")
    assert (answer.status, answer.json["status"], answer.json["attempt"]) == (202, "queued", 2)
    assert answer.headers["location"].endswith(path)
    assert (done["status"], done["attempt"], done["error"]) == ("succeeded", 2, None)
    assert "42" in done["text"]


@pytest.mark.requirement("runs:api-resume")
def test_a_run_that_succeeded_cannot_be_resumed(api: Api, worker: Any) -> None:
    done = ended(api, started(api))

    answer = api.post(f"{PATH}/{done['id']}/resume")

    assert (answer.status, answer.json["code"]) == (409, "run_succeeded")


@pytest.mark.requirement("runs:api-rights")
@pytest.mark.parametrize(
    ("role", "create", "read"),
    [("admin", 201, 200), ("operator", 201, 200), ("user", 201, 200), ("viewer", 403, 200), ("auditor", 403, 200)],
)
def test_who_may_start_runs_and_who_may_read_them(
    api_url: str, tenant: Tenant, role: str, create: int, read: int
) -> None:
    caller = Api(api_url, make_token(tenant, role=role))

    assert (start(caller).status, caller.get(PATH).status) == (create, read)
