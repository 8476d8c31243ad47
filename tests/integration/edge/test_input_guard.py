"""Layer 6 in its place: what stands in path, query and body, and how the refusal speaks of it."""

from urllib.parse import quote

import pytest

from tests.clients import Api

ATTACKS = ["x' OR '1'='1", "n}) DETACH DELETE n //", "$(id)", "../../etc/passwd", "{{7*7}}", "a\x00b", "a\u202eb"]


@pytest.mark.requirement("guards:address")
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_query_is_judged_and_the_parameter_named(api: Api, attack: str) -> None:
    answer = api.get(f"/v1/jobs?status={quote(attack)}")

    assert (answer.status, answer.json["code"]) == (400, "suspicious_input")
    assert "parameter status" in answer.json["detail"]
    assert attack not in answer.json["detail"]


@pytest.mark.requirement("guards:address")
@pytest.mark.parametrize("attack", ["x' OR '1'='1", "$(id)", "{{7*7}}", "a\x00b"])
def test_a_path_is_judged_and_its_part_named(api: Api, attack: str) -> None:
    answer = api.get(f"/v1/jobs/{quote(attack, safe='')}")

    assert (answer.status, answer.json["code"]) == (400, "suspicious_input")
    assert "job_id" in answer.json["detail"]


@pytest.mark.requirement("guards:address")
def test_a_query_may_not_be_a_flood(api: Api) -> None:
    many = "&".join(f"p{n}=1" for n in range(60))

    assert api.get(f"/v1/jobs?{many}").status == 400
    assert api.get(f"/v1/jobs?status={'x' * 9000}").status == 400


@pytest.mark.requirement("guards:injection")
@pytest.mark.parametrize("field", ["manager", "agent_role"])
def test_a_name_in_a_body_is_a_422_that_says_where(api: Api, field: str) -> None:
    answer = api.post("/v1/sessions", {field: "x'; DROP TABLE jobs"})

    assert answer.status == 422
    assert [fault["loc"] for fault in answer.json["errors"]] == [["body", field]]
    assert b"DROP" not in answer.body


@pytest.mark.requirement("guards:injection")
def test_a_question_about_drop_table_is_a_question(api: Api) -> None:
    session = api.post("/v1/sessions", {"title": "What does DROP TABLE jobs; do?"}).json
    message = "'); DROP TABLE jobs; -- MATCH (n) DETACH DELETE n; $(rm -rf /)"

    step = api.post(f"/v1/sessions/{session['id']}/steps", {"type": "user", "message": message})
    job_id = api.submit("agent.run", {"prompt": message})

    assert session["title"] == "What does DROP TABLE jobs; do?"
    assert step.status in (200, 201) and step.json["message"] == message
    assert api.job(job_id)["payload"]["prompt"] == message


@pytest.mark.requirement("guards:bodies")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"type": "test", "type": "demo"}', 400, "duplicate_key"),
        (b'{"type": "test", "payload": {"a": 1, "a": 2}}', 400, "duplicate_key"),
        (b'{"type": "test", "payload": {"a": NaN}}', 400, "invalid_json"),
        (b'{"type": "test", "payload": {"a": Infinity}}', 400, "invalid_json"),
        (b'{"type": "test", "payload": {"a": 1e999}}', 422, "schema_violation"),
        (b'{"type": "test", "payload": {"a": "\\u0000"}}', 422, "schema_violation"),
        (b'{"type": "test", "payload": {"a": "\\ud800"}}', 422, "schema_violation"),
        (b'{"type": "test", "payload": {"a": ' + b"9" * 5000 + b"}}", 400, "invalid_json"),
        (b'{"type": "test", "tenant_id": "x"}', 422, "validation_error"),
        (b'{"title": "a"}', 422, "validation_error"),
        (b"[]", 422, "validation_error"),
        (b'"text"', 422, "validation_error"),
        (b"null", 422, "validation_error"),
        (b"\xff", 400, "invalid_json"),
    ],
)
def test_a_body_is_read_strictly(api: Api, body: bytes, status: int, code: str) -> None:
    answer = api.post("/v1/jobs", body)

    assert (answer.status, answer.json["code"]) == (status, code)
