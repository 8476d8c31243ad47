"""Processes without an event loop publish what Channels reads: this pins the encoding of channels_redis."""

import asyncio
from uuid import uuid4

import pytest
import redis
from channels.layers import get_channel_layer
from django.conf import settings

from kernel.redis_keys import WAKE_GROUP
from kernel.wakeups import queue_wakeup
from tests.clients import PATIENCE_S


@pytest.mark.requirement("queue:wakeups")
def test_a_wake_up_published_without_a_loop_reaches_the_group(redis_client: redis.Redis) -> None:
    jobs = {str(uuid4()): 7, str(uuid4()): 1_000_000}

    async def listen() -> dict[str, object]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(WAKE_GROUP, channel)
        await asyncio.to_thread(publish)
        async with asyncio.timeout(PATIENCE_S):
            while (message := await layer.receive(channel))["jobs"] != jobs:
                pass  # a job of another test
        await layer.flush()
        return dict(message)

    def publish() -> None:
        pipe = redis_client.pipeline(transaction=False)
        queue_wakeup(pipe, jobs)
        pipe.execute()

    message = asyncio.run(listen())

    assert message == {"type": "jobs.wake", "jobs": jobs}


@pytest.mark.requirement("queue:wakeups")
def test_what_the_layer_itself_sends_to_the_group_is_what_we_publish(redis_client: redis.Redis) -> None:
    message = {"type": "jobs.wake", "jobs": {str(uuid4()): 3}}

    async def send() -> bytes:
        listener = redis.asyncio.Redis.from_url(settings.REDIS_URL).pubsub()
        await listener.subscribe(f"asgi__group__{WAKE_GROUP}")
        layer = get_channel_layer()
        await layer.group_send(WAKE_GROUP, message)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                got = await listener.get_message(ignore_subscribe_messages=True, timeout=PATIENCE_S)
                if got and layer.deserialize(got["data"]) == message:
                    await listener.aclose()
                    await layer.flush()
                    return bytes(got["data"])

    sent = asyncio.run(send())

    pipe = redis_client.pipeline(transaction=False)
    queue_wakeup(pipe, message["jobs"])  # type: ignore[arg-type]
    assert pipe.command_stack[0][0] == ("PUBLISH", f"asgi__group__{WAKE_GROUP}", sent)


@pytest.mark.requirement("queue:wakeups")
def test_nothing_to_say_sends_nothing(redis_client: redis.Redis) -> None:
    pipe = redis_client.pipeline(transaction=False)

    queue_wakeup(pipe, {})

    assert pipe.command_stack == []
