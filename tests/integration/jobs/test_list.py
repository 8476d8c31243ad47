"""GET /v1/jobs: filters, and pages that show each job once whatever happens meanwhile."""

from typing import Any
from urllib.parse import quote

import pytest

from apps.identity.principal import Principal
from apps.jobs.models import Job
from kernel.tenant_context import tenant_scope
from tests.by_hand import NO_HANDLER, HandJob
from tests.clients import Api
from tests.factories import make_principal, make_token


def pages(api: Api, path: str) -> list[dict[str, Any]]:
    """Every page, by following next_page_token."""
    separator = "&" if "?" in path else "?"
    found = [api.get(path).json]
    while token := found[-1]["next_page_token"]:
        found.append(api.get(f"{path}{separator}page_token={quote(token)}").json)
    return found


def make_many(principal: Principal, count: int) -> list[str]:
    """Jobs in one statement: all have the same created_at, so that only the id tells them apart."""
    with tenant_scope(principal.tenant_id):
        jobs = Job.objects.bulk_create(
            Job(tenant_id=principal.tenant_id, type=NO_HANDLER, owner_sub=principal.sub, principal_json={})
            for _ in range(count)
        )
    return [str(job.id) for job in jobs]


@pytest.mark.requirement("jobs:pages")
def test_pages_show_each_of_many_jobs_once_and_in_order(api: Api, principal: Principal) -> None:
    made = make_many(principal, 60) + make_many(principal, 60) + make_many(principal, 3)

    found = pages(api, "/v1/jobs")

    items = [item for page in found for item in page["items"]]
    assert [len(page["items"]) for page in found] == [25, 25, 25, 25, 23]
    assert sorted(item["id"] for item in items) == sorted(made)
    order = [(item["created_at"], item["id"]) for item in items]
    assert order == sorted(order, reverse=True)
    assert {page["total"] for page in found} == {123}
    assert {page["limit"] for page in found} == {25}
    assert [page["offset"] for page in found] == [0, 25, 50, 75, 100]
    assert [page["has_more"] for page in found] == [True, True, True, True, False]


@pytest.mark.requirement("jobs:pages")
def test_jobs_made_meanwhile_do_not_shift_the_pages(api: Api, principal: Principal) -> None:
    first_made = make_many(principal, 7)
    first = api.get("/v1/jobs?limit=5").json
    make_many(principal, 5)

    second = api.get(f"/v1/jobs?limit=5&page_token={quote(first['next_page_token'])}").json

    assert sorted(item["id"] for page in (first, second) for item in page["items"]) == sorted(first_made)


@pytest.mark.requirement("jobs:pages")
def test_an_empty_list_is_a_page_too(api: Api) -> None:
    page = api.get("/v1/jobs").json

    assert page == {"items": [], "total": 0, "limit": 25, "offset": 0, "has_more": False, "next_page_token": None}


@pytest.mark.requirement("jobs:pages")
def test_a_page_that_is_exactly_full_has_no_next(api: Api, principal: Principal) -> None:
    make_many(principal, 5)

    page = api.get("/v1/jobs?limit=5").json

    assert (len(page["items"]), page["has_more"], page["next_page_token"]) == (5, False, None)


@pytest.mark.requirement("jobs:pages")
def test_a_token_that_was_edited_is_refused(api: Api, principal: Principal) -> None:
    make_many(principal, 3)
    token = api.get("/v1/jobs?limit=1").json["next_page_token"]
    edited = [token[:-1] + ("A" if token[-1] != "A" else "B"), token[1:], "x" + token, "x", "25", "%00", token * 40]

    answers = [api.get(f"/v1/jobs?limit=1&page_token={text if text == '%00' else quote(text)}") for text in edited]

    assert [(answer.status, answer.json["code"]) for answer in answers] == [(400, "invalid_cursor")] * len(edited)


@pytest.mark.requirement("jobs:pages")
def test_a_token_is_worth_nothing_to_others_or_elsewhere(
    api: Api, colleague: Api, stranger: Api, admin: Api, principal: Principal, tenant: Any
) -> None:
    make_many(principal, 3)
    token = quote(api.get("/v1/jobs?limit=1").json["next_page_token"])

    answers = [
        colleague.get(f"/v1/jobs?limit=1&page_token={token}"),
        stranger.get(f"/v1/jobs?limit=1&page_token={token}"),
        admin.get(f"/v1/admin/jobs?limit=1&page_token={token}"),
        Api(api.base_url, make_token(tenant, "admin", principal.sub)).get(f"/v1/admin/jobs?page_token={token}"),
        api.get(f"/v1/jobs?limit=1&status=queued&page_token={token}"),
    ]

    assert [(answer.status, answer.json["code"]) for answer in answers] == [(400, "invalid_cursor")] * 5


@pytest.mark.requirement("jobs:list")
def test_filters_choose_by_status_and_type(api: Api, principal: Principal) -> None:
    queued, running, finished = HandJob(principal), HandJob(principal).claim(), HandJob(principal).claim().finish()
    submitted = api.post("/v1/jobs", {"type": "demo", "payload": {"duration_ms": 0}}).json["id"]

    def found(query: str) -> set[str]:
        return {item["id"] for item in api.get(f"/v1/jobs?{query}").json["items"]}

    assert found("status=running") >= {str(running.id)}
    assert found("status=running").isdisjoint({str(queued.id), str(finished.id)})
    assert {str(queued.id), str(running.id)} <= found("status=queued,running")
    assert found("type=demo") == {submitted}
    assert found("type=test") == set()
    assert found("type=demo,test&status=queued,running,finished,failed,cancelled") == {submitted}


@pytest.mark.requirement("jobs:list")
@pytest.mark.parametrize(
    "query",
    [
        "status=done",
        "status=queued,done",
        "type=no-such",
        "limit=0",
        "limit=51",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=%D9%A3",
        "limit=00000511111111",
        "limit=000050999999999",
        "offset=5",
        "ordering=tenant__secret",
        "tenant=other",
        "filter[tenant_id]=x",
        "owner=somebody",
        "_connector=OR",
        "page=2",
    ],
)
def test_a_parameter_that_means_nothing_here_is_refused(api: Api, query: str) -> None:
    answer = api.get(f"/v1/jobs?{query}")

    assert answer.status == 400
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("jobs:list")
def test_a_list_may_be_kept_for_a_while_by_its_caller_only(api: Api) -> None:
    headers = api.get("/v1/jobs").headers

    assert headers["cache-control"] == "private, max-age=30"
    assert headers["vary"] == "Authorization, X-Tenant-Id, Origin"


@pytest.mark.requirement("jobs:admin")
def test_an_administrator_sees_every_owners_jobs_of_the_own_tenant_only(
    api: Api, admin: Api, stranger: Api, principal: Principal, tenant: Any
) -> None:
    other = make_principal(tenant)
    mine, theirs = str(HandJob(principal).id), str(HandJob(other).id)

    everything = admin.get("/v1/admin/jobs").json["items"]
    one_owner = admin.get(f"/v1/admin/jobs?owner={other.sub}").json["items"]

    assert {item["id"] for item in everything} == {mine, theirs}
    assert {item["id"] for item in one_owner} == {theirs}
    assert admin.get(f"/v1/jobs/{mine}").status == 200
    assert admin.get(f"/v1/admin/jobs/{mine}").status == 200
    assert admin.get("/v1/jobs").json["total"] == 0
    assert stranger.get("/v1/admin/jobs").json["total"] == 0
    assert stranger.get(f"/v1/admin/jobs/{mine}").status == 404


@pytest.mark.requirement("jobs:admin")
@pytest.mark.parametrize("role", ["user", "viewer", "operator"])
def test_without_the_role_the_administrators_view_is_forbidden(
    api: Api, tenant: Any, principal: Principal, role: str
) -> None:
    job_id = str(HandJob(principal).id)
    caller = Api(api.base_url, make_token(tenant, role))

    answers = [
        caller.get("/v1/admin/jobs"),
        caller.post("/v1/admin/jobs", {"type": "test"}),
        caller.get(f"/v1/admin/jobs/{job_id}"),
        caller.delete(f"/v1/admin/jobs/{job_id}"),
    ]

    assert [answer.status for answer in answers] == [403] * 4
    assert answers[0].json["extensions"]["required_scopes"] == ["admin:all"]


@pytest.mark.requirement("jobs:admin")
@pytest.mark.parametrize("query", ["owner=%00", "user_id=a%00b", "owner=%ed%a0%80", "dead_letter=maybe"])
def test_a_filter_that_no_row_can_match_is_no_server_error(admin: Api, query: str) -> None:
    answer = admin.get(f"/v1/admin/jobs?{query}")

    assert answer.status in (200, 400)


@pytest.mark.requirement("jobs:admin")
def test_an_administrator_can_submit_and_cancel_there_too(admin: Api, principal: Principal) -> None:
    theirs = HandJob(principal)

    submitted = admin.post("/v1/admin/jobs", {"type": "test"})
    cancelled = admin.delete(f"/v1/admin/jobs/{theirs.id}")

    assert submitted.status == 202
    assert (cancelled.status, cancelled.json["status"]) == (202, "cancelled")
