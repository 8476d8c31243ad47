"""Resources and prompts over MCP."""

import json
from typing import Any
from uuid import uuid4

import pytest
from mcp import Client, MCPError
from mcp_types import PromptReference, ResourceTemplateReference

from apps.agents.prompts.texts import CATALOGUE
from apps.mcp import prompts
from tests.clients import Api
from tests.factories import make_tenant, make_token
from tests.integration.mcp.talking import MODES, NOW, post, said, talk

pytestmark = pytest.mark.requirement("tools:mcp-resources")


@pytest.fixture
def person(api_url: str, tenant: Any) -> Api:
    return Api(api_url, make_token(tenant, "user", "ada"))


def read(caller: Api, uri: str, mode: str = NOW) -> Any:
    """The document behind a URI."""
    assert caller.token is not None
    result = talk(caller.base_url, caller.token, lambda talking: talking.read_resource(uri), mode)
    (contents,) = result.contents
    assert (str(contents.uri), contents.mime_type) == (uri, "application/json")
    return json.loads(contents.text)


def refusal(caller: Api, uri: str, mode: str = NOW) -> MCPError:
    async def fail(talking: Client) -> MCPError:
        with pytest.raises(MCPError) as refused:
            await talking.read_resource(uri)
        return refused.value

    assert caller.token is not None
    return talk(caller.base_url, caller.token, fail, mode)


def test_what_there_is_to_read_depends_on_the_caller(api_url: str, tenant: Any) -> None:
    async def listed(talking: Client) -> tuple[list[str], list[str]]:
        whole = [str(one.uri) for one in (await talking.list_resources()).resources]
        return whole, [one.uri_template for one in (await talking.list_resource_templates()).resource_templates]

    users = talk(api_url, make_token(tenant), listed)
    guests = talk(api_url, make_token(tenant, "auditor"), listed)

    assert users == (["cineca://graph/schema"], ["cineca://runs/{id}", "cineca://jobs/{id}"])
    assert set(guests[0]) <= set(users[0])


@pytest.mark.parametrize("mode", MODES)
def test_the_schema_a_run_and_a_job_are_what_rest_shows(person: Api, worker: Any, mode: str) -> None:
    job = person.submit("test", {"text": "done"})
    person.wait_until(job, "finished")
    run = person.post("/v1/agent-runs", {"prompt": "What is 6 * 7?"}).json["run_id"]

    shown_job, shown_run = read(person, f"cineca://jobs/{job}", mode), read(person, f"cineca://runs/{run}", mode)
    schema = read(person, "cineca://graph/schema", mode)

    assert shown_job == person.get(f"/v1/jobs/{job}").json
    assert (shown_run["id"], shown_run["prompt"], shown_run["owner"]) == (run, "What is 6 * 7?", "ada")
    assert [label["label"] for label in schema["labels"]][:3] == ["User", "Institution", "Task"]


@pytest.mark.parametrize(("mode", "code"), list(zip(MODES, (-32002, -32602), strict=True)))
def test_what_is_anothers_looks_like_what_never_was(
    api_url: str, tenant: Any, person: Api, mode: str, code: int
) -> None:
    job = person.submit("test", {"text": "mine"})
    run = person.post("/v1/agent-runs", {"prompt": "mine"}).json["run_id"]
    colleague, stranger = Api(api_url, make_token(tenant)), Api(api_url, make_token(make_tenant(), "admin"))

    for caller in (colleague, stranger):
        for kind, one in (("jobs", job), ("runs", run)):
            foreign = refusal(caller, f"cineca://{kind}/{one}", mode)
            missing = refusal(caller, f"cineca://{kind}/{uuid4()}", mode)
            assert (foreign.code, foreign.message) == (missing.code, missing.message) == (code, missing.message)
            assert (foreign.data["code"], foreign.data["uri"]) == (missing.data["code"], f"cineca://{kind}/{one}")


@pytest.mark.parametrize(
    "uri",
    ["cineca://graph/schema/", "cineca://graph/../jobs", "cineca://jobs/x", "file:///etc/passwd", "cineca://jobs/",
     "http://127.0.0.1/", "cineca://runs/%00", "CINECA://graph/schema", "cineca://tenants/1", "cineca://jobs/{id}"],
)  # fmt: skip
def test_an_address_that_is_none_is_not_found(person: Api, uri: str) -> None:
    error = said(post(person, "resources/read", {"uri": uri}))["error"]

    assert (error["code"], error["data"]["code"]) == (-32002, "not_found")


def test_personal_data_does_not_leave(person: Api) -> None:
    job = person.submit("test", {"text": "write to grace@example.org"})

    shown = read(person, f"cineca://jobs/{job}")

    assert "grace@example.org" not in json.dumps(shown)


def test_who_may_not_read_something_is_told_what_is_missing(api_url: str, tenant: Any) -> None:
    from apps.identity.rbac import MATRIX

    role = next(role for role in sorted(MATRIX) if "graph:read" not in MATRIX[role])

    error = refusal(Api(api_url, make_token(tenant, role)), "cineca://graph/schema")

    assert (error.data["code"], error.data["required_permission"]) == ("forbidden", "graph:read")


@pytest.mark.parametrize("mode", MODES)
def test_the_prompts_are_the_catalogue_and_those_with_gaps(api_url: str, tenant: Any, mode: str) -> None:
    async def listed(talking: Client) -> Any:
        return (await talking.list_prompts()).prompts

    found = talk(api_url, make_token(tenant), listed, mode)

    names = [prompt.name for prompt in found]
    assert names == sorted(set(names))
    harmless = [said for said in CATALOGUE if said["category"] != "DANGEROUS"]
    assert len(names) == len(harmless) + len(prompts.WITH_GAPS)
    assert "how-many-users-are-there" in names
    assert not [name for name in names if "delete" in name and "if" not in name]
    wanted = {prompt.name: [argument.name for argument in prompt.arguments or []] for prompt in found}
    assert wanted["ask-the-graph"] == ["question"]
    assert wanted["hello"] == []


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_is_filled(api_url: str, tenant: Any, mode: str) -> None:
    question = "Which genes? {question} {run_id} %s"

    result = talk(
        api_url, make_token(tenant), lambda talking: talking.get_prompt("ask-the-graph", {"question": question}), mode
    )
    known = talk(api_url, make_token(tenant), lambda talking: talking.get_prompt("who-am-i"), mode)

    (message,) = result.messages
    assert message.role == "user"
    assert message.content.text.endswith(f"Question: {question}")
    assert known.messages[0].content.text == "who am i"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("ask-the-graph", {}), ("ask-the-graph", {"question": " "}), ("ask-the-graph", {"question": "x", "more": "y"}),
     ("ask-the-graph", {"question": "x" * 4001}), ("who-am-i", {"question": "x"}), ("delete-everything", {}),
     ("nothing", {})],
)  # fmt: skip
def test_what_does_not_fit_a_prompt_is_refused(person: Api, name: str, arguments: dict[str, str]) -> None:
    error = said(post(person, "prompts/get", {"name": name, "arguments": arguments}))["error"]

    assert error["code"] in (-32602, -32002)
    assert error["data"]["code"] in ("invalid_arguments", "prompt_not_found")


@pytest.mark.parametrize("mode", MODES)
def test_ids_of_ones_own_runs_and_jobs_complete_arguments(api_url: str, tenant: Any, person: Api, mode: str) -> None:
    job = person.submit("test", {"text": "mine"})
    run = person.post("/v1/agent-runs", {"prompt": "mine"}).json["run_id"]
    of_job, of_run = (ResourceTemplateReference(uri=f"cineca://{kind}/{{id}}") for kind in ("jobs", "runs"))
    asked = [
        (PromptReference(name="sum-up-a-job"), "job_id", job[:6]),
        (PromptReference(name="sum-up-a-run"), "run_id", ""),
        (of_job, "id", job[:6].upper()),
        (of_run, "id", run),
        (of_run, "id", "no such"),
        (PromptReference(name="ask-the-graph"), "question", "How"),
    ]

    async def completed(talking: Client) -> list[list[str]]:
        answers = [await talking.complete(ref, {"name": name, "value": begun}) for ref, name, begun in asked]
        with pytest.raises(MCPError):
            await talking.complete(PromptReference(name="no-such-prompt"), {"name": "x", "value": ""})
        return [answer.completion.values for answer in answers]

    assert person.token is not None
    own = talk(api_url, person.token, completed, mode)
    colleagues = talk(api_url, make_token(tenant), completed, mode)

    assert own == [[job], [run], [job], [run], [], []]
    assert colleagues == [[]] * len(asked)
