"""A process that asks a model and ends in some way; run by test_afterwards.py.

    callers.py <tenant id> <how many calls> <return | exit | term | kill | fork | busy>

Prints a JSON line {"tokens": ...} for each answer. Its end follows the last answer at once; busy: while other threads
go on asking.
"""

import json
import os
import signal
import sys
import threading
from uuid import UUID

import django

django.setup()

from apps.llm import gateway  # noqa: E402
from apps.llm.calling import afterwards  # noqa: E402
from apps.llm.providers import registry  # noqa: E402
from tests.llm_factories import make_request  # noqa: E402


def ask(tenant_id: UUID, calls: int) -> None:
    for _ in range(calls):
        result = gateway.complete(make_request(tenant_id, "Hello there", model="m"))
        os.write(1, (json.dumps({"tokens": result.usage.total_tokens}) + "\n").encode())


def child_does_its_own() -> bool:
    """Whether a child has a thread of its own, nothing of its parent's to do, and none of its connections to providers,
    where it would read what the other is answered."""
    done: list[int] = []
    had_nothing_to_do = afterwards.is_idle()
    afterwards.do(lambda: done.append(1) is None)
    return had_nothing_to_do and afterwards.finish() and done == [1] and not registry._adapters


def main() -> None:
    tenant_id, calls, end = UUID(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # as Celery's worker ends
    if end == "busy":
        for _ in range(4):
            threading.Thread(target=ask, args=(tenant_id, 10_000), daemon=True).start()
    ask(tenant_id, calls)
    if end == "fork":
        child = os.fork()
        if child == 0:
            os._exit(0 if child_does_its_own() else 1)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    if end == "exit":
        sys.exit(3)
    if end in ("term", "kill"):
        os.kill(os.getpid(), signal.SIGTERM if end == "term" else signal.SIGKILL)


if __name__ == "__main__":
    main()
