"""Starting a stand-in for `make run` and looking at its processes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def until(condition: Callable[[], bool], limit_s: float = 20.0) -> None:
    """Wait for something to be true; fails when it takes longer than `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def wait_until() -> Callable[..., None]:
    return until


class StandIn:
    """A running stand_in_platform.py: real servers, and one process with a child of its own."""

    def __init__(self, data_dir: Path) -> None:
        self.file = data_dir.parent / "pids.json"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
        command = [
            sys.executable,
            str(Path(__file__).with_name("stand_in_platform.py")),
            str(data_dir),
            str(self.file),
        ]
        self.popen = subprocess.Popen(command, env=environment)
        until(lambda: self.file.exists() or self.popen.poll() is not None)

    @property
    def pids(self) -> dict[str, int]:
        return json.loads(self.file.read_text())["pids"]

    @property
    def variables(self) -> dict[str, str]:
        return json.loads(self.file.read_text())["variables"]


@pytest.fixture
def stand_in(tmp_path: Path) -> Iterator[StandIn]:
    running = StandIn(tmp_path / "dev data")
    yield running
    running.popen.terminate()
    running.popen.wait(timeout=30)
