"""``celery -A workers worker -I tests.slow_worker``: a worker that knows the tools of tests/slow_tools.py."""

from celery.signals import worker_init

from tests import slow_tools


@worker_init.connect
def declare(**_: object) -> None:
    slow_tools.declare()
