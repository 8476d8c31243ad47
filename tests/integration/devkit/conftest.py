"""Starting a stand-in for `make run` and looking at its processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parents[3]


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to be true."""
    wait_for(condition, what="what the test waits for")


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
    running.popen.wait(timeout=PATIENCE_S)
