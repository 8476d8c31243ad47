"""workers.transport on a Redis database of its own: what goes over the wire, and what it leaves to kombu."""

import inspect
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import kombu
import pytest
import redis
from django.conf import settings
from kombu.transport import redis as stock

from kernel.redis_keys import JOBS_DEAD
from tests.clients import PATIENCE_S
from workers import transport

JOBS, HIGH = "jobs:queue:test", "jobs:queue:test:high"
STOCK = "somebody.elses"


@pytest.fixture
def wire() -> Iterator[redis.Redis]:
    """The database behind ``connection``."""
    client = redis.Redis.from_url(settings.REDIS_URL.rsplit("/", 1)[0] + "/6")
    client.flushdb()
    yield client
    client.flushdb()


@pytest.fixture
def connection(wire: redis.Redis) -> Iterator[kombu.Connection]:
    url = settings.REDIS_URL.rsplit("/", 1)[0] + "/6"
    with kombu.Connection(url, transport="workers.transport:Transport") as opened:
        yield opened


def message(task: str = "jobs.run", **headers: Any) -> tuple[str, dict[str, Any]]:
    """A protocol-2 body without arguments, and its headers."""
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return json.dumps([[], {}, embed]), {"task": task, "id": str(uuid4()), "timelimit": [None, None], **headers}


def publish(connection: kombu.Connection, queue: str, body: str, headers: dict[str, Any]) -> None:
    with connection.channel() as channel:
        kombu.Producer(channel).publish(
            body, routing_key=queue, headers=headers, content_type="application/json", content_encoding="utf-8"
        )


def take(connection: kombu.Connection, *queues: str, count: int, credit: int | None = None) -> list[tuple[str, str]]:
    """(queue, id or body) of the next ``count`` messages, as a consumer of these queues gets them."""
    got: list[tuple[str, str]] = []
    channel = connection.channel()
    if credit is not None:
        channel.job_credit = lambda: credit

    def keep(taken: kombu.Message) -> None:
        got.append((taken.delivery_info["routing_key"], taken.headers.get("id") or taken.body))

    consumer = kombu.Consumer(
        channel,
        [kombu.Queue(name, exchange="", routing_key=name) for name in queues],
        on_message=keep,
        no_ack=True,
        auto_declare=False,
    )
    with consumer:
        while len(got) < count:
            connection.drain_events(timeout=PATIENCE_S)
    return got


@pytest.mark.requirement("queue:bare-ids-out")
def test_a_published_job_is_its_id_and_nothing_else(connection: kombu.Connection, wire: redis.Redis) -> None:
    body, headers = message()

    publish(connection, JOBS, body, headers)

    assert wire.lrange(JOBS, 0, -1) == [headers["id"].encode()]
    assert wire.keys("*") == [JOBS.encode()]
    assert wire.ttl(JOBS) == -1


@pytest.mark.requirement("queue:transport-refuses")
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (None, {"eta": "2030-01-01T00:00:00Z"}),
        (None, {"expires": "2030-01-01T00:00:00Z"}),
        (None, {"group": "g"}),
        (None, {"timelimit": [10, None]}),
        (None, {"task": "another.task"}),
        (None, {"id": "not-a-uuid"}),
        ([[1], {}, {}], {}),
        ([[], {"x": 1}, {}], {}),
        ([[], {}, {"chain": [{"task": "next"}]}], {}),
        ([[], {}, {"callbacks": [{"task": "next"}]}], {}),
        ([[], {}, {"errbacks": [{"task": "next"}]}], {}),
        ([[], {}, {"chord": {"task": "next"}}], {}),
    ],
)
def test_what_a_bare_id_cannot_carry_is_refused(
    connection: kombu.Connection, wire: redis.Redis, body: Any, headers: dict[str, Any]
) -> None:
    plain, usual = message()

    with pytest.raises(ValueError, match=r"bare job ids|badly formed"):
        publish(connection, JOBS, plain if body is None else json.dumps(body), {**usual, **headers})

    assert wire.llen(JOBS) == 0


@pytest.mark.requirement("queue:order")
@pytest.mark.parametrize("credit", [None, 1, 3, 100])
def test_ids_come_in_the_order_they_were_put(
    connection: kombu.Connection, wire: redis.Redis, credit: int | None
) -> None:
    ids = [str(uuid4()) for _ in range(20)]
    for job_id in ids:
        wire.lpush(JOBS, job_id)

    taken = take(connection, JOBS, count=20, credit=credit)

    assert taken == [(JOBS, job_id) for job_id in ids]


@pytest.mark.requirement("queue:order")
def test_no_more_ids_are_taken_than_there_is_room_for(connection: kombu.Connection, wire: redis.Redis) -> None:
    for _ in range(10):
        wire.lpush(JOBS, str(uuid4()))

    take(connection, JOBS, count=4, credit=4)

    assert wire.llen(JOBS) == 6


@pytest.mark.requirement("jobs:priority")
def test_the_high_list_is_emptied_first(connection: kombu.Connection, wire: redis.Redis) -> None:
    low, high = [str(uuid4()) for _ in range(3)], [str(uuid4()) for _ in range(3)]
    wire.lpush(JOBS, *low)
    wire.lpush(HIGH, *high)

    taken = take(connection, JOBS, HIGH, count=6, credit=1)

    assert taken == [(HIGH, job_id) for job_id in high] + [(JOBS, job_id) for job_id in low]


@pytest.mark.requirement("queue:stock")
def test_one_channel_takes_ids_and_stock_messages(connection: kombu.Connection, wire: redis.Redis) -> None:
    job_id = str(uuid4())
    with connection.channel() as channel:
        kombu.Queue(STOCK, exchange=kombu.Exchange(""), routing_key=STOCK).bind(channel).queue_declare()
    body, headers = message("maintenance.cleanup")
    publish(connection, STOCK, body, headers)
    wire.lpush(JOBS, b"garbage", job_id)

    taken = take(connection, STOCK, JOBS, count=2)

    assert sorted(taken) == sorted([(STOCK, headers["id"]), (JOBS, job_id)])


@pytest.mark.requirement("queue:stock")
def test_a_stock_queue_looks_as_kombu_makes_it(connection: kombu.Connection, wire: redis.Redis) -> None:
    body, headers = message("maintenance.cleanup", eta="2030-01-01T00:00:00Z")

    publish(connection, STOCK, body, headers)

    stored = json.loads(wire.lrange(STOCK, 0, -1)[0])
    assert stored["headers"]["eta"] == "2030-01-01T00:00:00Z"
    assert stored["properties"]["delivery_info"]["routing_key"] == STOCK


@pytest.mark.requirement("queue:garbage")
def test_a_single_get_skips_garbage_and_finds_the_job(connection: kombu.Connection, wire: redis.Redis) -> None:
    job_id = str(uuid4())
    wire.lpush(JOBS, b"\xff", b"{}", job_id)

    with connection.channel() as channel:
        got = channel.basic_get(JOBS, no_ack=True)
        nothing = channel.basic_get(JOBS, no_ack=True)

    assert got.headers["id"] == job_id
    assert nothing is None
    assert redis.Redis.from_url(settings.REDIS_URL).llen(JOBS_DEAD()) >= 2


@pytest.mark.requirement("queue:stock")
def test_size_purge_and_declare_use_the_plain_key(connection: kombu.Connection, wire: redis.Redis) -> None:
    wire.lpush(JOBS, *(str(uuid4()) for _ in range(5)))

    with connection.channel() as channel:
        declared = channel.queue_declare(JOBS, passive=True)
        sizes = channel._size(JOBS), channel._size("jobs:queue:none")
        purged = channel.queue_purge(JOBS)

    assert declared.message_count == 5
    assert sizes == (5, 0)
    assert purged == 5
    assert wire.keys("*") == []


@pytest.mark.requirement("queue:stock")
def test_a_message_that_is_given_back_goes_to_the_taking_end(connection: kombu.Connection, wire: redis.Redis) -> None:
    first, second = str(uuid4()), str(uuid4())
    wire.lpush(JOBS, first, second)

    with connection.channel() as channel:
        channel._restore(channel.basic_get(JOBS, no_ack=True))

    assert wire.rpop(JOBS) == first.encode()


@pytest.mark.requirement("queue:kombu-pin")
def test_the_parts_of_kombu_that_are_overridden_have_not_moved() -> None:
    expected = {
        "_put": "(self, queue, message, **kwargs)",
        "_get": "(self, queue)",
        "_brpop_start": "(self, timeout=None)",
        "_brpop_read": "(self, **options)",
        "_flush_brpop_reauth": "(self)",
        "_q_for_pri": "(self, queue, pri)",
        "_size": "(self, queue)",
        "_purge": "(self, queue)",
        "_new_queue": "(self, queue, auto_delete=False, **kwargs)",
        "_restore": "(self, message, leftmost=False)",
        "conn_or_acquire": "(self, client=None)",
    }

    assert kombu.__version__.startswith("5.7.")
    assert {name: str(inspect.signature(getattr(stock.Channel, name))) for name in expected} == expected
    assert str(inspect.signature(stock.QoS.can_consume)) == "(self)"
    assert transport.Channel.QoS is transport.QoS
    overridden = {name for name in vars(transport.Channel) if hasattr(stock.Channel, name) and callable(
        getattr(stock.Channel, name)
    )} - {"__doc__", "__module__"}  # fmt: skip
    assert overridden <= expected.keys() | {"QoS"}
    assert stock.Channel._in_poll is False
    assert stock.Channel._brpop_sent_at is None
