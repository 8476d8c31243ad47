"""The consumers that drain.py and drain_persistent.py compare: how to start each, and how to give it work at once.

Work is first prepared where nobody reads it and then moved into place by one RENAME, so that no producer's speed
limits a consumer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis
from setting import Setting, Spawned

QUIET = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")
OURS_QUEUE = "jobs:queue:test"


@dataclass(frozen=True)
class Consumer:
    """``stage`` puts ids where ``release`` moves them from; ``start`` starts the processes."""

    name: str
    start: Callable[[Setting], list[Spawned]]
    stage: Callable[[redis.Redis, Sequence[str]], None]
    release: Callable[[redis.Redis], None]
    weight: int = 1  # how many times the usual number of jobs it gets, so that a fast one is measured long enough


def _push(staged: str) -> Callable[[redis.Redis, Sequence[str]], None]:
    def stage(client: redis.Redis, ids: Sequence[str]) -> None:
        for begin in range(0, len(ids), 1000):
            client.lpush(staged, *ids[begin : begin + 1000])

    return stage


def _rename(staged: str, live: str) -> Callable[[redis.Redis], None]:
    def release(client: redis.Redis) -> None:
        client.rename(staged, live)

    return release


def loop(name: str, module: str, queue: str, weight: int = 1) -> Consumer:
    """Two plain loops."""

    def start(setting: Setting) -> list[Spawned]:
        return [setting.spawn("python", "-m", module, name=f"loop-{number}") for number in range(2)]

    return Consumer(name, start, _push(f"{queue}:staged"), _rename(f"{queue}:staged", queue), weight)


def ours(name: str, *more: str, weight: int = 1, **environment: str) -> Consumer:
    """Two of the platform's workers, as `make run` starts them."""
    staged = f"bench:{OURS_QUEUE}"

    def start(setting: Setting) -> list[Spawned]:
        return setting.workers(2, *more, **environment)

    return Consumer(name, start, _push(staged), _rename(staged, OURS_QUEUE), weight)


def celery(name: str, module: str, task: str, *options: str, processes: int = 2) -> Consumer:
    """Stock Celery workers."""

    def start(setting: Setting) -> list[Spawned]:
        return [
            setting.spawn(
                *("celery", "-A", module, "worker", "-n", f"peer{number}@%h", *QUIET, *options), name=f"celery-{number}"
            )
            for number in range(processes)
        ]

    def stage(client: redis.Redis, ids: Sequence[str]) -> None:
        from peers.stock_celery import STAGED, app

        with app.producer_pool.acquire(block=True) as producer:
            for job_id in ids:
                app.send_task(task, (job_id,), queue=STAGED, producer=producer)

    def release(client: redis.Redis) -> None:
        from peers.stock_celery import QUEUE, STAGED

        client.rename(STAGED, QUEUE)

    return Consumer(name, start, stage, release)


def dramatiq(name: str, module: str, actor: str) -> Consumer:
    """Dramatiq's default: two processes of eight threads."""

    def start(setting: Setting) -> list[Spawned]:
        return [
            setting.spawn(
                *("dramatiq", module, "--processes", "2", "--threads", "8", "--skip-logging"), name="dramatiq"
            )
        ]

    def message(job_id: str):  # type: ignore[no-untyped-def]
        from dramatiq import Message

        return Message(queue_name="default", actor_name=actor, args=(job_id,), kwargs={}, options={"max_retries": 0})

    def stage(client: redis.Redis, ids: Sequence[str]) -> None:
        from peers.stock_dramatiq import staged

        for job_id in ids:
            staged.enqueue(message(job_id))

    def release(client: redis.Redis) -> None:
        from peers.stock_dramatiq import LIVE, STAGED

        with client.pipeline(transaction=True) as pipe:
            for part in ("default.msgs", "default"):
                pipe.rename(f"{STAGED}:{part}", f"{LIVE}:{part}")
            pipe.execute()

    return Consumer(name, start, stage, release)


def empty(directory: Path) -> Path:
    """The directory, made or without its files."""
    directory.mkdir(exist_ok=True)
    for path in directory.iterdir():
        path.unlink()
    return directory
