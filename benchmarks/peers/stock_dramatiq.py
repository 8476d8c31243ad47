"""Peer (e): Dramatiq on Redis with its default middleware. ``staged`` only enqueues, into keys nobody reads yet."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from peers.tally import tally

URL = os.environ["REDIS_URL"]
LIVE, STAGED = "bench-dramatiq", "bench-dramatiq-staged"

broker = RedisBroker(url=URL, namespace=LIVE)
dramatiq.set_broker(broker)
staged = RedisBroker(url=URL, namespace=STAGED, middleware=[])
staged.declare_queue("default")


@dramatiq.actor(max_retries=0)
def noop(job_id: str) -> None:
    """Counted, nothing else."""
    tally.record()
