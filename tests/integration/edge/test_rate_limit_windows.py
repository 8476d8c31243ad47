"""The script in Redis: exact under concurrency, true to its window, bounded in memory, deaf to this machine's clock."""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Any
from uuid import uuid4

import pytest
import redis

from kernel.rate_limit import limiter
from kernel.rate_limit.local import LocalWindows
from kernel.rate_limit.windows import DAY, MINUTE, Limit, Window
from kernel.redis_client import LUA_DIR, availability
from kernel.redis_keys import RATELIMIT_TENANT, RATELIMIT_TENANT_DAY, RATELIMIT_USER
from tests.clients import wait_for

SCRIPT = (LUA_DIR / "sliding_window.lua").read_text()


@pytest.fixture(autouse=True)
def redis_is_asked() -> Iterator[None]:
    availability._blocked_until = 0.0
    yield


@pytest.fixture
def name() -> str:
    return uuid4().hex


def user(name: str, limit: int, window: Window = MINUTE, owner: str = "") -> Limit:
    return Limit("user", RATELIMIT_USER(sub=name), limit, window, owner)


@pytest.mark.requirement("limits:exact")
def test_of_2000_concurrent_requests_exactly_100_pass(name: str) -> None:
    limits = [user(name, 100), Limit("tenant", RATELIMIT_TENANT(id=name), 1000, MINUTE)]

    with ThreadPoolExecutor(32) as threads:
        decisions = list(threads.map(lambda _: limiter.take(limits), range(2000)))

    assert sum(decision.allowed for decision in decisions) == 100
    assert not any(decision.is_local for decision in decisions)
    assert sorted(decision.remaining for decision in decisions if decision.allowed) == list(range(100))


def _hammer(url: str, key: str, start: Barrier, passed: Any) -> None:
    script = redis.Redis.from_url(url).register_script(SCRIPT)
    start.wait()
    mine = sum(script(keys=[key], args=[100, MINUTE.slots, MINUTE.slot_ms, ""])[2] == 0 for _ in range(500))
    with passed.get_lock():
        passed.value += mine


@pytest.mark.requirement("limits:exact")
def test_of_2000_requests_of_four_processes_exactly_100_pass(name: str, settings: Any) -> None:
    context = multiprocessing.get_context("spawn")
    start, passed = context.Barrier(4), context.Value("i", 0)
    arguments = (settings.REDIS_URL, RATELIMIT_USER(sub=name), start, passed)
    processes = [context.Process(target=_hammer, args=arguments) for _ in range(4)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(240)

    assert passed.value == 100


@pytest.mark.requirement("security:57")
def test_a_burst_across_the_windows_edge_is_never_more_than_the_limit(name: str) -> None:
    window = Window(slot_ms=50, slots=12)
    passed: list[tuple[float, float]] = []

    until = time.monotonic() + 3
    while time.monotonic() < until:
        began = time.monotonic()
        if limiter.take([user(name, 20, window)]).allowed:
            passed.append((began, time.monotonic()))

    for at, (began, _) in enumerate(passed):
        # ended within 0.599 s of this one's beginning: the server saw all of them inside one window
        surely_within = [ended for _, ended in passed[at:] if ended - began < 0.599]
        assert len(surely_within) <= 20
    assert len(passed) > 20  # and it does let people back in


@pytest.mark.requirement("limits:refusal")
def test_who_is_refused_passes_again_after_the_wait_and_not_before(name: str) -> None:
    limit = user(name, 5, Window(slot_ms=50, slots=12))
    for _ in range(5):
        limiter.take([limit])
    asked_at = time.monotonic()
    answer = limiter._ask_redis([limit])
    assert answer is not None

    wait_for(lambda: limiter.take([limit]).allowed, what="room in the window", every_s=0.002)

    waited_ms = (time.monotonic() - asked_at) * 1000
    assert answer[0].wait_ms <= 13 * 50
    assert answer[0].wait_ms - 2 <= waited_ms  # two clocks, of whole milliseconds


@pytest.mark.requirement("limits:atomic")
def test_a_request_that_one_key_refuses_is_counted_by_no_key(name: str, redis_client: redis.Redis) -> None:
    tight, wide = user(name, 3), Limit("tenant", RATELIMIT_TENANT(id=name), 100, MINUTE)

    decisions = [limiter.take([wide, tight]) for _ in range(10)]

    assert [decision.allowed for decision in decisions] == [True] * 3 + [False] * 7
    assert {decision.scope for decision in decisions} == {"user"}
    slot, count, used, oldest = redis_client.hget(wide.key, "now").split()
    assert (int(count), int(used)) == (3, 3) or int(slot) > int(oldest)
    assert limiter.take([wide]).remaining == 100 - 4


@pytest.mark.requirement("limits:redis-down")
@pytest.mark.parametrize("limit", [0, 1, 5])
def test_redis_and_the_process_count_alike(name: str, limit: int) -> None:
    local = LocalWindows(clock=time.time)

    for _ in range(8):
        in_redis, here = limiter._ask_redis([user(name, limit)]), local.take([user(name, limit)])
        assert in_redis is not None
        assert in_redis[0].used == here[0].used
        assert abs(in_redis[0].wait_ms - here[0].wait_ms) <= 2 * MINUTE.slot_ms  # a slot may end in between
        assert abs(in_redis[0].reset_ms - here[0].reset_ms) <= 2 * MINUTE.slot_ms  # a slot may end in between


@pytest.mark.requirement("limits:memory")
def test_a_key_has_a_field_for_each_slot_and_a_time_to_live(name: str, redis_client: redis.Redis) -> None:
    window = Window(slot_ms=20, slots=12)
    limits = [user(name, 10**6, window), Limit("tenant-day", RATELIMIT_TENANT_DAY(id=name), 10**6, DAY)]

    def look() -> tuple[int, int] | None:
        limiter.take(limits)
        with redis_client.pipeline() as both:
            fields, left_ms = both.hlen(limits[0].key).pttl(limits[0].key).execute()
        return (fields, left_ms) if left_ms > 0 else None  # it may be gone before a slow machine looks

    until = time.monotonic() + 1
    while time.monotonic() < until:
        limiter.take(limits)
    fields, left_ms = wait_for(look, what="a look in time")

    assert fields <= 14
    assert left_ms <= 13 * 20
    assert redis_client.hlen(limits[1].key) <= 2  # two where a slot of the day ends just now
    assert DAY.seconds < redis_client.ttl(limits[1].key) <= RATELIMIT_TENANT_DAY.ttl_s


@pytest.mark.requirement("limits:owners")
def test_the_same_sub_in_two_tenants_is_counted_apart(name: str, redis_client: redis.Redis) -> None:
    decisions = [limiter.take([user(name, 2, owner=owner)]).allowed for owner in ("a.", "a.", "a.", "b.", "b.", "b.")]

    assert decisions == [True, True, False, True, True, False]
    assert redis_client.hlen(RATELIMIT_USER(sub=name)) <= 4


@pytest.mark.requirement("security:57")
def test_the_clock_of_the_process_does_not_matter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        limiter.take([user(name, 3)])

    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setattr(time, "monotonic", lambda: 4e9)

    assert not limiter.take([user(name, 3)]).allowed


@pytest.mark.requirement("limits:window")
def test_slots_of_a_clock_that_was_set_back_do_not_lock_anybody_out(name: str, redis_client: redis.Redis) -> None:
    in_an_hour = int(time.time() * 1000 + 3_600_000) // MINUTE.slot_ms
    key = RATELIMIT_USER(sub=name)
    redis_client.hset(key, str(in_an_hour % 13), f"{in_an_hour}:1000")

    redis_client.hset(key, "now", f"{in_an_hour} 1000 1000 {in_an_hour}")

    assert limiter.take([user(name, 3)]).allowed
    assert limiter.take([user(name, 3)]).remaining == 1


@pytest.mark.requirement("limits:redis-down")
def test_a_key_of_another_type_is_answered_locally_and_shuts_nobody_out(name: str, redis_client: redis.Redis) -> None:
    redis_client.set(RATELIMIT_USER(sub=name), "rogue")

    decisions = [limiter.take([user(name, 2)]) for _ in range(3)]

    assert [decision.allowed for decision in decisions] == [True, True, False]
    assert all(decision.is_local for decision in decisions)
    assert availability.usable()


@pytest.mark.requirement("limits:window")
@pytest.mark.parametrize("with_redis", [True, False], ids=["redis", "this-process"])
def test_counts_can_be_looked_at_and_begun_anew_for_one_owner_alone(
    name: str, monkeypatch: pytest.MonkeyPatch, *, with_redis: bool
) -> None:
    if not with_redis:
        monkeypatch.setattr(availability, "usable", lambda: False)
    mine, theirs = user(name, 5, owner="a."), user(name, 5, owner="b.")
    for limit in (mine, mine, mine, theirs):
        limiter.take([limit])

    before = [[usage.used for usage in limiter.look([mine, theirs])] for _ in range(2)]
    everywhere = limiter.forget([mine])
    after = [usage.used for usage in limiter.look([mine, theirs])]

    assert before == [[3, 1], [3, 1]]
    assert (everywhere, after) == (with_redis, [0, 1])
    assert all(limiter.take([mine]).allowed for _ in range(5))
    assert not limiter.take([mine]).allowed
