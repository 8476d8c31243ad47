"""Peer (e): Dramatiq, whose actor runs the job's SQL."""

import dramatiq
from peers.one_job import run_one
from peers.stock_dramatiq import broker

assert dramatiq.get_broker() is broker


@dramatiq.actor(max_retries=0)
def run(job_id: str) -> None:
    """One job, as the product would run it."""
    run_one(job_id)
