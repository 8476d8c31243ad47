"""Peer (c): a plain loop that BRPOPs a bare id and runs the job's SQL. No leases renewed, nothing rescued."""

import os

import redis
from peers.one_job import run_one

QUEUE = "bench:sql"


def main() -> None:
    client = redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    while True:
        taken = client.brpop([QUEUE], timeout=1)
        if taken is not None:
            run_one(taken[1])


if __name__ == "__main__":
    main()
