"""Peer (a): what redis-py alone can do. One process of it: BRPOP an id, count it, again."""

import os

import redis
from peers.tally import tally

QUEUE = "bench:bare"


def main() -> None:
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    while True:
        if client.brpop([QUEUE], timeout=1) is not None:
            tally.record()


if __name__ == "__main__":
    main()
