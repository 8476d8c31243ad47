"""One fault a test, jobs in flight: processes of the platform are killed, frozen and stopped."""

import time

import pytest

from tests.chaos.scenario import Scenario


def test_kill_9_of_a_worker(run: Scenario) -> None:
    """F1: its jobs run elsewhere, from attempt 2."""
    run.submit_many(40, "test", {"duration_ms": 1500}, follow_every=8)
    run.submit_many(10, "demo", {"duration_ms": 1500}, follow_every=2)
    run.wait_running(20)
    killed_at_s = run.fault("kill worker")
    run.platform.workers[0].kill()

    after = run.assert_sound()

    assert all(job["status"] == "finished" for job in after.jobs.values())
    rescues = run.seconds_to_rescue(killed_at_s)
    assert rescues and rescues[-1] < 3 + 0.3 + 3, rescues
