"""The events of runs over server-sent events and websocket: the rules of jobs' streams, by the same code."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from apps.agents.models import RunEvent
from apps.agents.runs.event_types import RUN_EVENTS
from apps.identity.principal import Principal
from kernel.redis_keys import RUNS_EVENTS
from kernel.tenant_context import tenant_scope
from tests.by_hand import HandJob
from tests.by_hand_runs import HandRun
from tests.clients import PATIENCE_S, Api, SseEvent, wait_for
from tests.integration.runs.runs_api import PATH, ended, run, started
from tests.streams import Stream, ids


def follow(caller: Api, run_id: object, query: str = "", **options: Any) -> Stream:
    return Stream(caller, run_id, query, of="agent-runs", **options)


def followed(caller: Api, run_id: object) -> list[SseEvent]:
    with follow(caller, run_id) as stream:
        return stream.rest()


@contextmanager
def socket(caller: Api, run_id: object, query: str = "", token: str = "") -> Iterator[Any]:
    url = f"{caller.base_url.replace('http', 'ws', 1)}/ws/agent-runs/{run_id}{query}"
    names: list[Any] = ["agentic.v1", f"bearer.{token or caller.token}"]
    with connect(url, subprotocols=names, open_timeout=PATIENCE_S, close_timeout=2) as connection:
        yield connection


def read(connection: Any) -> tuple[list[dict[str, Any]], int]:
    """All messages, and the code the server closed with."""
    messages = []
    try:
        while True:
            messages.append(json.loads(connection.recv(timeout=PATIENCE_S)))
    except ConnectionClosed as closed:
        assert closed.rcvd is not None
        return messages, closed.rcvd.code


@pytest.mark.requirement("runs:streams")
def test_a_run_tells_its_phases_steps_and_answer_as_they_come(api: Api, worker: Any) -> None:
    run_id = started(api, "What is 6 * 7, and who are you?")

    events = followed(api, run_id)
    done = ended(api, run_id)

    assert ids(events) == list(range(1, len(events) + 1))
    assert len(events) == done["last_event_id"]
    kinds = [event.type for event in events]
    assert kinds[0] == "status" and kinds[-1] == "end"
    assert kinds.index("intent") < kinds.index("plan") < kinds.index("step")
    stages = [event.data["stage"] for event in events if event.type == "progress"]
    assert stages[0] == "agent_run_started" and {"orchestrator_init", "classify", "plan", "finalize"} <= set(stages)
    assert [event.data["step_id"] for event in events if event.type == "step"] == [step["id"] for step in done["steps"]]
    assert events[-1].data["final"] == done["status"] == "succeeded"
    said = "".join(event.data["text"] for event in events if event.type == "delta")
    assert said.strip() and said.strip() in done["text"]


@pytest.mark.requirement("runs:streams")
def test_pieces_of_an_answer_arrive_as_they_are_said(api: Api, principal: Principal) -> None:
    held = HandRun(principal)

    with follow(api, held.id) as stream:
        first = stream.next()
        held.claim().say("There ")
        two = stream.take(2)
        held.say("are 12")
        third = stream.next()
        held.finish()
        rest = stream.rest()

    assert ids([first, *two, third, *rest]) == [1, 2, 3, 4, 5, 6]
    assert (two[1].type, two[1].data, third.data) == ("delta", {"text": "There "}, {"text": "are 12"})
    assert [event.type for event in rest] == ["status", "end"]


@pytest.mark.requirement("runs:streams-resume")
@pytest.mark.parametrize("after", [0, 1, 3, 6])
@pytest.mark.parametrize("redis_has_it", [True, False])
def test_a_client_that_comes_back_gets_what_it_has_not_seen(
    api: Api, principal: Principal, redis_client: redis.Redis, after: int, redis_has_it: bool
) -> None:
    held = HandRun(principal).claim().say("a", "b", "c").finish()
    if not redis_has_it:
        redis_client.delete(RUNS_EVENTS(id=held.id))

    with follow(api, held.id, after=after) as stream:
        events = stream.rest()

    assert ids(events) == list(range(after + 1, 8))
    assert events[-1].type == "end"


@pytest.mark.requirement("runs:streams-resume")
def test_who_has_seen_the_end_is_told_that_nothing_more_will_come(api: Api, principal: Principal) -> None:
    held = HandRun(principal).claim().finish()

    with follow(api, held.id, after=held.last_seq) as stream:
        status, body = stream.status, stream.response.read()
    with follow(api, held.id, after=1000) as stream:
        unknown = stream.rest()

    assert (status, body) == (204, b"")
    assert unknown[0].type == "reset"
    assert unknown[0].data == {"run_id": str(held.id), "reason": "unknown_event_id", "after": 1000}
    assert ids(unknown[1:]) == [1, 2, 3, 4]


@pytest.mark.requirement("runs:streams-resume")
def test_an_event_that_redis_was_never_told_of_is_not_lost(api: Api, principal: Principal) -> None:
    held = HandRun(principal).claim()

    with follow(api, held.id) as stream:
        stream.take(2)
        held.say("not announced", shown=False).say("announced")
        told = stream.take(2)
        held.finish(shown=False)  # no wake-up either: the poll finds it
        rest = stream.rest()

    assert [event.data["text"] for event in told] == ["not announced", "announced"]
    assert ids(rest) == [5, 6]


@pytest.mark.requirement("runs:streams-resume")
def test_a_resumed_run_goes_on_after_its_old_end(api: Api, worker: Any, principal: Principal) -> None:
    failed = HandRun(principal, "What is 6 * 7?").claim().finish("failed")
    before = followed(api, failed.id)

    assert api.post(f"{PATH}/{failed.id}/resume").status == 202
    with follow(api, failed.id, after=failed.last_seq) as stream:
        more = stream.rest()
    whole = followed(api, failed.id)

    assert before[-1].type == "end"
    assert ids([*before, *more]) == ids(whole) == list(range(1, len(whole) + 1))
    assert (more[0].data["to"], more[0].data["attempt"], more[0].data["reason"]) == ("queued", 2, "resumed")
    assert [event.type for event in whole if event.type in ("end", "attempt_end")] == ["attempt_end", "end"]
    assert whole[-1].data["final"] == "succeeded"


@pytest.mark.requirement("runs:streams")
def test_the_page_form_has_the_same_events(api: Api, principal: Principal) -> None:
    held = HandRun(principal).claim().say("a", "b").finish()

    first = api.get(f"{PATH}/{held.id}/events?format=json&limit=4").json
    second = api.get(f"{PATH}/{held.id}/events?format=json&after=4").json
    no_form = api.get(f"{PATH}/{held.id}/events?format=xml", Accept="application/json")

    assert [item["id"] for item in first["items"] + second["items"]] == [1, 2, 3, 4, 5, 6]
    assert (first["run_id"], first["status"], first["has_more"], second["has_more"]) == (
        str(held.id), "succeeded", True, False,
    )  # fmt: skip
    assert first["items"][2]["data"] == {"text": "a"}
    assert no_form.status == 406


@pytest.mark.requirement("runs:streams-refusals")
def test_the_stream_of_others_is_as_missing_as_that_of_nobody(
    api: Api, colleague: Api, stranger: Api, admin: Api, principal: Principal
) -> None:
    held, job = HandRun(principal).claim().finish(), HandJob(principal).claim().finish()

    answers = []
    for caller, run_id in (
        (colleague, held.id), (stranger, held.id), (api, uuid4()), (api, job.id), (api, "x"),
        (Api(api.base_url), held.id), (admin, held.id),
    ):  # fmt: skip
        with follow(caller, run_id) as stream:
            answers.append(stream.status)
    with Stream(api, held.id) as stream:  # a run is no job
        answers.append(stream.status)

    assert answers == [404, 404, 404, 404, 400, 401, 200, 404]


@pytest.mark.requirement("runs:streams")
def test_a_websocket_brings_what_the_stream_brings_and_closes_normally(
    api: Api, colleague: Api, principal: Principal
) -> None:
    held = HandRun(principal).claim().say("a", 'b "quoted" \n').finish()

    with socket(api, held.id) as connection:
        messages, code = read(connection)
    with socket(api, held.id, "?after=4") as connection:
        late, _ = read(connection)
    with socket(colleague, held.id) as connection:
        nothing, refused = read(connection)

    events = followed(api, held.id)
    assert [(m["id"], m["event"], m["data"]) for m in messages] == [(e.id, e.type, e.data) for e in events]
    assert code == 1000
    assert [message["id"] for message in late] == [5, 6]
    assert (nothing, refused) == ([], 4404)


@pytest.mark.requirement("runs:streams-ring")
def test_the_ring_holds_the_latest_events_and_goes_after_a_day(principal: Principal, redis_client: redis.Redis) -> None:
    held = HandRun(principal).claim()
    for number in range(21):
        held.say(*(f"{number}-{n}" for n in range(50)))

    lines = [json.loads(line) for line in redis_client.lrange(RUNS_EVENTS(id=held.id), 0, -1)]
    left_s = redis_client.ttl(RUNS_EVENTS(id=held.id))

    assert [line["seq_id"] for line in lines] == list(range(53, 1053))
    assert lines[-1]["event_json"] == {"text": "20-49"}
    assert 0 < left_s <= (RUNS_EVENTS.ttl_s or 0)


@pytest.mark.requirement("runs:event-types")
def test_every_event_that_runs_tell_is_as_the_reference_says(api: Api, worker: Any, principal: Principal) -> None:
    told = [
        started(api, "What is 6 * 7, and who are you?"),
        started(api, "How many users are there?"),
        started(api, "Delete all users"),
        str(HandRun(principal).claim().say("x").finish("failed").id),
    ]
    for run_id in told:
        ended(api, run_id)
    api.post(f"{PATH}/{told[-1]}/resume")
    ended(api, told[-1])

    with tenant_scope(principal.tenant_id):
        rows = list(RunEvent.objects.filter(run_id__in=told).order_by("run_id", "seq_id"))
    wrong = [
        (row.event_type, sorted(row.event_json))
        for row in rows
        if row.event_type not in RUN_EVENTS
        or not RUN_EVENTS[row.event_type].required <= row.event_json.keys() <= RUN_EVENTS[row.event_type].fields.keys()
    ]
    assert wrong == []
    assert {row.event_type for row in rows} == set(RUN_EVENTS) - {"approval"}  # test_run_approvals.py


@pytest.mark.requirement("runs:streams")
def test_a_run_can_be_followed_before_anything_has_happened(api: Api, principal: Principal) -> None:
    held = HandRun(principal)

    with follow(api, held.id) as stream:
        first = stream.next()
        cancelled = api.delete(f"{PATH}/{held.id}")
        rest = stream.rest()

    assert (first.data["from"], first.data["to"]) == (None, "queued")
    assert cancelled.status == 202
    assert [event.type for event in rest] == ["status", "end"]
    assert rest[-1].data["final"] == "cancelled"
    wait_for(lambda: run(api, str(held.id))["status"] == "cancelled", what="the cancellation")
