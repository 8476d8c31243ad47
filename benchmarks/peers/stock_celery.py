"""Peer (b): Celery as it comes, tuned for throughput: early acknowledgement, no results, no events, prefetch 64."""

import os

from celery import Celery
from peers.tally import tally

QUEUE = "bench-celery"
STAGED = "bench-celery-staged"

app = Celery("peer", broker=os.environ.get("REDIS_URL"))
app.conf.update(
    task_default_queue=QUEUE,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_acks_late=False,
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_always_eager=False,
)


@app.task(name="peer.noop")
def noop(job_id: str) -> None:
    """Counted, nothing else."""
    tally.record()
