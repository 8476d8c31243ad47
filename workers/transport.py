"""kombu's Redis transport, with bare job ids on ``jobs:queue:*`` (docs/adr/0004).

On those lists, and only there, an element is a job id and nothing else, so that any program can LPUSH or BRPOP one.
Stock kombu would put a JSON envelope there and die on a bare id. This module:

- puts the id alone when Celery publishes ``jobs.run`` to such a queue, and refuses what an id cannot carry;
- takes as many ids at once as the engine has room for, with one blocking BLMPOP, and hands each to the consumer as a
  protocol-2 message for ``jobs.run``; a JSON envelope of a stock producer, or {"job_id": ...}, is understood too;
- sets what is none of these, or no message at all, aside on ``jobs:dead``, with a log line and a counter;
- keeps no ``unacked`` record: the lease on the job's row is what recovers a job.

All other queues are stock kombu. Written against kombu 5.7; tests/integration/test_transport.py fails when the parts
overridden here move.
"""

import json
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from kombu.transport import redis as stock
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from kombu.utils.uuid import uuid

from kernel import metrics
from kernel.clock import iso, now
from kernel.redis_client import RedisError, client
from kernel.redis_keys import JOBS_DEAD
from kernel.task_names import TaskName

log = structlog.get_logger("transport")
JOB_PREFIX = "jobs:queue:"
DEAD_LENGTH = 1000
EMPTY_BODY = json.dumps([[], {}, {}])


def is_job_queue(queue: str) -> bool:
    """Whether elements of this queue are bare job ids."""
    return queue.startswith(JOB_PREFIX)


def job_id_of(item: bytes | str) -> str | None:
    """The job id that a list element stands for, None when it is none."""
    text = bytes_to_str(item).strip()
    try:
        return str(UUID(text))
    except ValueError:
        pass
    try:
        decoded = json.loads(text)
        if "headers" in decoded:
            return str(UUID(decoded["headers"]["id"])) if decoded["headers"]["task"] == TaskName.JOBS_RUN else None
        return str(UUID(decoded["job_id"]))
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return None


def record_dead(queue: str, item: str, reason: str) -> None:
    """Put what was no job on jobs:dead."""
    line = json.dumps({"queue": queue, "item": item[:65_536], "reason": reason, "at": iso(now())})
    try:
        pipe = client().pipeline()
        pipe.lpush(JOBS_DEAD(), line)
        pipe.ltrim(JOBS_DEAD(), 0, DEAD_LENGTH - 1)
        pipe.expire(JOBS_DEAD(), JOBS_DEAD.ttl_s or 0)
        pipe.execute()
    except RedisError:
        metrics.REDIS_ERRORS.labels("dead").inc()


def envelope(queue: str, job_id: str) -> dict[str, Any]:
    """The protocol-2 message, in kombu's wire form, for one id."""
    return {
        "body": EMPTY_BODY,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": TaskName.JOBS_RUN,
            "id": job_id,
            "root_id": job_id,
            "argsrepr": queue,
        },
        "properties": {
            "correlation_id": job_id,
            "delivery_tag": uuid(),
            "delivery_info": {"exchange": "", "routing_key": queue},
            "body_encoding": None,
        },
    }


class QoS(stock.QoS):
    """Room for more: what the engine says on a job channel, kombu's prefetch count elsewhere."""

    def can_consume(self) -> bool:
        credit = self.channel.job_credit
        return super().can_consume() if credit is None else credit() > 0


class Channel(stock.Channel):
    """A channel whose job queues carry bare ids."""

    QoS = QoS
    #: How many more ids the process can take. Set by the consumer of job queues; None leaves it to the prefetch count.
    job_credit: Callable[[], int] | None = None

    # -- sending
    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        if not is_job_queue(queue):
            super()._put(queue, message, **kwargs)
            return
        headers = message.get("headers") or {}
        body = loads(bytes_to_str(self.decode_body(message["body"], message["properties"].get("body_encoding"))))
        args, keywords, embed = body
        carried = [name for name in ("eta", "expires", "group", "timelimit") if any([headers.get(name)])]
        if headers.get("timelimit") == [None, None]:
            carried.remove("timelimit")
        if headers.get("task") != TaskName.JOBS_RUN or args or keywords or carried or any((embed or {}).values()):
            raise ValueError(
                f"{queue} carries bare job ids: it takes {TaskName.JOBS_RUN} with task_id=<job id> and nothing else. "
                "What needs arguments, an ETA or a chain belongs on another queue."
            )
        UUID(headers["id"])
        with self.conn_or_acquire() as client:
            client.lpush(queue, headers["id"])

    # -- taking
    def _taken_queues(self) -> list[str]:
        queues = self._queue_cycle.consume(len(self.active_queues))
        return sorted(queues, key=lambda queue: not queue.endswith(":high"))  # stable: rotation within each class

    def _is_job_channel(self) -> bool:
        return self.job_credit is not None and all(is_job_queue(queue) for queue in self.active_queues)

    def _brpop_start(self, timeout: float | None = None) -> None:
        if not self._is_job_channel():
            super()._brpop_start(timeout)
            return
        queues = self._taken_queues()
        if not queues:
            return
        room = max(1, self.job_credit() if self.job_credit else 1)
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()  # type: ignore[assignment]
        self.client.connection.send_command(
            "BLMPOP", timeout or self.brpop_timeout, len(queues), *queues, "RIGHT", "COUNT", room
        )

    def _brpop_read(self, **options: Any) -> bool:
        if not self._is_job_channel():
            return self._read_mixed(**options)
        try:
            try:
                answer = self.client.parse_response(self.client.connection, "BLMPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
        finally:
            self._in_poll = None  # type: ignore[assignment]
            self._flush_brpop_reauth()
        if not answer:
            raise stock.Empty
        queue, items = bytes_to_str(answer[0]), answer[1]
        self._queue_cycle.rotate(queue)
        if self._closing:
            with self.conn_or_acquire() as client:
                client.rpush(queue, *reversed(items))
            return True
        for item in items:
            self._deliver_job(queue, item)
        return True

    def _read_mixed(self, **options: Any) -> bool:
        """A channel that also takes stock queues: one element at a time, as kombu does, but never choking on an id."""
        try:
            try:
                answer = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            if not answer:
                raise stock.Empty
            key, item = bytes_to_str(answer[0]), answer[1]
            queue = key if is_job_queue(key) else key.rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            if is_job_queue(queue):
                self._deliver_job(queue, item)
            else:
                self._deliver_stock(queue, item)
            return True
        finally:
            self._in_poll = None  # type: ignore[assignment]
            self._flush_brpop_reauth()

    def _deliver_job(self, queue: str, item: bytes) -> None:
        job_id = job_id_of(item)
        if job_id is None:
            self.set_aside(queue, item, "not_a_job")
        else:
            self.connection._deliver(envelope(queue, job_id), queue)

    def _deliver_stock(self, queue: str, item: bytes) -> None:
        """What is no message of kombu's would end the consumer, and with it the worker: it is set aside."""
        try:
            message = loads(bytes_to_str(item))
            if not {"delivery_tag", "delivery_info"} <= message["properties"].keys() or not isinstance(
                message["headers"], dict
            ):
                raise KeyError("delivery_tag")
            str(message["body"])
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.set_aside(queue, item, "not_a_message")
            return
        self.connection._deliver(message, queue)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        if not is_job_queue(queue):
            return super()._get(queue)
        with self.conn_or_acquire() as client:
            while (item := client.rpop(queue)) is not None:
                job_id = job_id_of(item)
                if job_id is not None:
                    return envelope(queue, job_id)
                self.set_aside(queue, item, "not_a_job")
        raise stock.Empty

    def set_aside(self, queue: str, item: bytes | str, reason: str) -> None:
        """Keep what was no job for an operator to look at."""
        metrics.QUEUE_REJECTED.labels(reason).inc()
        shown = item.decode("utf-8", "replace") if isinstance(item, bytes) else item
        log.warning("queue_item_set_aside", queue=queue, reason=reason, item=shown[:200])
        record_dead(queue, shown, reason)

    # -- one plain key a queue
    def _q_for_pri(self, queue: str, pri: int) -> str:
        return queue if is_job_queue(queue) else super()._q_for_pri(queue, pri)

    def _size(self, queue: str) -> int:
        if not is_job_queue(queue):
            return super()._size(queue)
        with self.conn_or_acquire() as client:
            return int(client.llen(queue))

    def _purge(self, queue: str) -> int:
        if not is_job_queue(queue):
            return super()._purge(queue)
        with self.conn_or_acquire() as client:
            size, _ = client.pipeline().llen(queue).delete(queue).execute()
            return int(size)

    def _new_queue(self, queue: str, auto_delete: bool = False, **kwargs: Any) -> None:
        if not is_job_queue(queue):  # a job list never expires and is never deleted with its consumer
            super()._new_queue(queue, auto_delete=auto_delete, **kwargs)

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        routing_key = message.delivery_info.get("routing_key", "")
        if not is_job_queue(routing_key):
            super()._restore(message, leftmost=leftmost)
            return
        with self.conn_or_acquire() as client:
            client.rpush(routing_key, message.headers["id"])


class Transport(stock.Transport):
    """What redis:// and rediss:// mean to kombu in our processes (workers/celery.py)."""

    Channel = Channel
