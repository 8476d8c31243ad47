"""Wake-ups: "these jobs have events up to n", sent through the channel layer. Never content; losing one loses nothing.

Workers and WSGI processes have no event loop, so they publish the layer's own encoding from the synchronous client;
tests/integration/test_wakeups.py pins that encoding.
"""

import redis
from channels.layers import get_channel_layer

from kernel.redis_keys import WAKE_GROUP

GROUP_CHANNEL = f"asgi__group__{WAKE_GROUP}"  # channels_redis' name for the group, prefix "asgi"


def queue_wakeup(pipe: redis.client.Pipeline, jobs: dict[str, int]) -> None:
    """Add to ``pipe`` one message for all of ``jobs`` (id -> last sequence number)."""
    if jobs:
        pipe.publish(GROUP_CHANNEL, get_channel_layer().serialize({"type": "jobs.wake", "jobs": jobs}))
