"""Streams while Redis forgets, servers die, tokens expire and clients go away: nothing is missing, nothing is left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from apps.identity.principal import Principal
from tests.by_hand import HandJob
from tests.clients import Api, wait_for
from tests.factories import make_token
from tests.streams import Stream, ids

GROUP = "asgi__group__jobs.wake"


def gauge(api: Api, name: str) -> float:
    lines = api.get("/metrics").body.decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


@pytest.mark.requirement("streams:ring-or-rows")
@pytest.mark.parametrize("what", ["deleted", "partly trimmed", "with a hole", "of another kind", "full of garbage"])
def test_what_the_ring_does_not_hold_comes_from_the_rows(
    api: Api, principal: Principal, redis_client: redis.Redis, what: str
) -> None:
    job = HandJob(principal).claim().report("a", "b", "c", "d").finish()
    ring = f"jobs:events:{job.id}"
    if what == "deleted":
        redis_client.delete(ring, f"jobs:state:{job.id}")
    elif what == "partly trimmed":
        redis_client.ltrim(ring, 3, -1)
    elif what == "with a hole":
        redis_client.lrem(ring, 1, redis_client.lindex(ring, 3))
    elif what == "of another kind":
        redis_client.delete(ring)
        redis_client.set(ring, "x")
    else:
        redis_client.rpush(ring, b"\xff", "not json", "{}", "[]", "7", '{"seq_id": "x"}')

    with Stream(api, job.id) as whole, Stream(api, job.id, after=4) as resumed:
        seen = whole.rest(), resumed.rest()

    assert (ids(seen[0]), ids(seen[1])) == (list(range(1, 9)), [5, 6, 7, 8])


@pytest.mark.requirement("streams:ring-or-rows")
def test_the_ring_alone_serves_what_it_holds(api: Api, principal: Principal, redis_client: redis.Redis) -> None:
    job = HandJob(principal).claim().report("from the log").finish()
    ring = f"jobs:events:{job.id}"
    marked = redis_client.lindex(ring, 2).replace(b"from the log", b"from the ring")
    redis_client.lset(ring, 2, marked)

    with Stream(api, job.id) as stream:
        assert stream.rest()[2].data["message"] == "from the ring"


@pytest.mark.requirement("streams:ring-or-rows")
def test_a_flushed_redis_costs_a_stream_nothing(
    api: Api, worker: Any, principal: Principal, redis_client: redis.Redis
) -> None:
    job = HandJob(principal).claim().report("a")

    with Stream(api, job.id) as stream:
        stream.take(3)
        redis_client.flushall()
        job.report("b").finish()
        rest = stream.rest()
        job_id = api.submit("test")

    assert ids(rest) == [4, 5, 6]
    api.wait_until(job_id, "finished")


@pytest.mark.requirement("streams:lost-wake-up")
def test_an_event_whose_wake_up_was_lost_arrives_all_the_same(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()

    with Stream(api, job.id) as stream:
        stream.take(2)
        job.report("unannounced", shown=False).finish(shown=False)
        rest = stream.rest()

    assert ids(rest) == [3, 4, 5]


@pytest.mark.requirement("streams:sse")
def test_many_events_of_one_wake_up_all_arrive(api: Api, principal: Principal) -> None:
    job = HandJob(principal).claim()

    with Stream(api, job.id) as stream:
        stream.take(2)
        job.report(*(str(n) for n in range(700)), shown=False)
        job.finish()
        rest = stream.rest()

    assert ids(rest) == list(range(3, 705))


@pytest.mark.requirement("streams:restart")
def test_a_stream_cut_by_its_servers_death_goes_on_at_another(
    api: Api, principal: Principal, start_web: Callable[..., tuple[Any, str]]
) -> None:
    process, url = start_web()
    job = HandJob(principal).claim().report("a")
    seen = []

    with Stream(Api(url, api.token), job.id) as stream:
        seen += stream.take(3)
        process.kill()
        process.wait()
        cut = stream.rest()  # what was under way, then the end of the connection
    seen += cut
    job.report("meanwhile")
    with Stream(api, job.id, after=seen[-1].id) as stream:
        job.finish()
        seen += stream.rest()

    assert ids(seen) == [1, 2, 3, 4, 5, 6]
    assert seen[-1].type == "end"


@pytest.mark.requirement("streams:expiry")
@pytest.mark.parametrize("busy", [False, True], ids=["an idle stream", "a busy stream"])
def test_a_stream_ends_with_its_token(api: Api, worker: Any, principal: Principal, tenant: Any, busy: bool) -> None:
    job_id = api.submit("long-running", {"duration_ms": 60_000, "steps": 600}) if busy else HandJob(principal).id
    caller = Api(api.base_url, make_token(tenant, sub=principal.sub, ttl_s=2))

    with Stream(caller, job_id) as stream:
        events = stream.rest()

    assert all(event.type != "end" for event in events)
    with Stream(caller, job_id) as again:
        assert again.status == 401
    api.delete(f"/v1/jobs/{job_id}")


@pytest.mark.requirement("streams:one-subscription")
def test_a_process_subscribes_once_however_many_clients_it_has(
    api: Api, principal: Principal, redis_client: redis.Redis
) -> None:
    jobs = [HandJob(principal) for _ in range(5)]

    def subscriptions() -> tuple[int, int]:
        clients = [client for client in redis_client.client_list() if int(client["sub"]) > 0]
        return dict(redis_client.pubsub_numsub(GROUP))[GROUP.encode()], len(clients)

    with Stream(api, jobs[0].id) as first:
        first.next()
        wait_for(lambda: subscriptions()[0] > 0, what="the process's subscription")
        alone = subscriptions()
        streams = [Stream(api, job.id) for job in jobs * 10]
        for stream in streams:
            stream.next()
        crowded = subscriptions()
        for stream in streams:
            stream.close()

    assert crowded == alone


@pytest.mark.requirement("streams:one-subscription")
def test_clients_that_went_away_are_forgotten(api: Api, principal: Principal) -> None:
    job = HandJob(principal)
    name = 'sse_connections_active{transport="sse"}'
    before = gauge(api, name)

    streams = [Stream(api, job.id) for _ in range(30)]
    for stream in streams:
        stream.next()
    during = gauge(api, name)
    for stream in streams:
        stream.close()

    wait_for(lambda: gauge(api, name) <= before, what="the streams being forgotten")
    assert during >= before + 30


@pytest.mark.requirement("streams:limit")
@pytest.mark.requirement("security:133")
def test_a_caller_may_not_hold_any_number_of_streams(
    api: Api, colleague: Api, principal: Principal, start_web: Callable[..., tuple[Any, str]]
) -> None:
    _, url = start_web(AGENTIC_STREAMS_PER_PRINCIPAL="3")
    here, job = Api(url, api.token), HandJob(principal)

    held = [Stream(here, job.id) for _ in range(3)]
    with Stream(here, job.id) as fourth:
        refused = fourth.status, int(fourth.headers["retry-after"])
    held[0].close()

    assert [stream.status for stream in held] == [200, 200, 200]
    assert refused[0] == 429
    assert refused[1] >= 1

    def admitted() -> bool:
        with Stream(here, job.id) as another:
            return another.status == 200

    wait_for(admitted, what="room for another stream")
    for stream in held[1:]:
        stream.close()


@pytest.mark.requirement("streams:resume")
def test_clients_that_keep_dropping_see_every_event_once(api: Api, worker: Any) -> None:
    job_ids = [api.submit("demo", {"duration_ms": 2000}) for _ in range(4)]

    def read_in_pieces(job_id: str) -> list[int | None]:
        seen: list[int | None] = []
        while True:
            with Stream(api, job_id, after=seen[-1] if seen else None) as stream:
                events = stream.take(2) if len(seen) < 10 else stream.rest()
                seen += ids(events)
                if events[-1].type == "end":
                    return seen

    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(read_in_pieces, job_ids * 2))

    for job_id, seen in zip(job_ids * 2, read, strict=True):
        assert seen == list(range(1, api.job(job_id)["last_event_id"] + 1))
