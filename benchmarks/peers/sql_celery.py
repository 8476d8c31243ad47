"""Peer (d): stock Celery, whose task runs the job's SQL."""

from peers.one_job import run_one
from peers.stock_celery import app


@app.task(name="peer.sql")
def run(job_id: str) -> None:
    """One job, as the product would run it."""
    run_one(job_id)
