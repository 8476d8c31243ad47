"""GET /v1/jobs/{id}/events?format=json: the log as pages, for programs that poll."""

from datetime import datetime

import pytest

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import Api
from tests.streams import Stream


@pytest.mark.requirement("streams:page")
def test_the_page_shows_what_the_stream_sends(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report("a").finish()

    answer = api.get(f"/v1/jobs/{job.id}/events?format=json")
    with Stream(api, job.id) as stream:
        events = stream.rest()

    page = answer.json
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert [(item["id"], item["type"], item["data"]) for item in page["items"]] == [
        (event.id, event.type, event.data) for event in events
    ]
    assert page["events"] == page["items"]
    assert (page["job_id"], page["status"], page["last_event_id"], page["has_more"]) == (
        str(job.id), "finished", 5, False
    )  # fmt: skip
    times = [datetime.fromisoformat(item["created_at"]) for item in page["items"]]
    assert times == sorted(times)


@pytest.mark.requirement("streams:page")
def test_pages_follow_one_another_by_the_last_event_id(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim().report(*(str(n) for n in range(20))).finish()
    seen: list[int] = []
    more = True

    while more:
        after = seen[-1] if seen else 0
        page = api.get(f"/v1/jobs/{job.id}/events?format=json&limit=7&after={after}").json
        assert len(page["items"]) <= 7
        seen += [item["id"] for item in page["items"]]
        more = page["has_more"]

    assert seen == list(range(1, job.last_seq + 1))


@pytest.mark.requirement("streams:page")
def test_a_page_after_the_last_event_is_empty(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()

    pages = [api.get(f"/v1/jobs/{job.id}/events?format=json&after={after}").json for after in (2, 1000)]

    assert [(page["items"], page["last_event_id"], page["has_more"]) for page in pages] == [([], 2, False)] * 2


@pytest.mark.requirement("streams:page")
@pytest.mark.parametrize(
    "query",
    ["after=x", "after=-1", "limit=0", "limit=1001", "limit=x", "order=desc", "after=9999999999999999999"],
)
def test_a_page_that_makes_no_sense_is_refused(api: Api, principal: Principal, query: str) -> None:
    answer = api.get(f"/v1/jobs/{HandJob(principal).id}/events?format=json&{query}")

    assert answer.status == 400


@pytest.mark.requirement("streams:page")
def test_another_format_is_not_acceptable(api: Api, principal: Principal) -> None:
    answer = api.get(f"/v1/jobs/{HandJob(principal).id}/events", Accept="application/xml")

    assert answer.status == 406
