"""One platform for all of tests/chaos, a tenant and a history for each test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos import figures
from tests.chaos.cluster import Platform
from tests.chaos.history import History
from tests.chaos.run_scenario import RunScenario
from tests.chaos.scenario import Scenario

LONG = ("test_nemesis_long.py", "test_runs_long.py")
SHORT = ("test_nemesis_short.py", "test_nemesis_servers.py", "test_runs_short.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Sizes of the long run; take effect when tests/chaos is named on the command line."""
    parser.addoption("--chaos-jobs", type=int, default=20_000, help="jobs the long run submits under faults")
    parser.addoption("--chaos-faults", type=int, default=200, help="faults the long run injects, at least")
    parser.addoption("--chaos-scale", type=float, default=1.0, help="the size of the long run's other tests")
    parser.addoption("--chaos-keep", type=Path, help="a directory to which logs and histories are copied at the end")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The long run instead of the short one, or the other way round."""
    left_out = SHORT if config.getoption("--chaos-long") else LONG
    return True if collection_path.name in left_out else None


@pytest.fixture(scope="package")
def platform(home: Path, pytestconfig: pytest.Config) -> Iterator[Platform]:
    """Servers only; tests start what they break."""
    started = Platform(home)
    try:
        started.start()
        yield started
    finally:
        started.stop()
        keep = pytestconfig.getoption("--chaos-keep", None)
        for file in [*home.glob("chaos-*.log"), *home.glob("history-*.jsonl")] if keep else ():
            keep.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, keep)


@pytest.fixture
def run(platform: Platform, home: Path, request: pytest.FixtureRequest) -> Iterator[Scenario]:
    """A tenant, callers and a history of this test's own; a web server and two workers that come back when killed."""
    platform.stand_up()
    scenario = Scenario(platform, History(home / f"history-{request.node.name}.jsonl"))
    yield scenario
    scenario.end()


@pytest.fixture
def runs(platform: Platform, home: Path, request: pytest.FixtureRequest) -> Iterator[RunScenario]:
    """The same for runs of agents."""
    platform.stand_up()
    scenario = RunScenario(platform, History(home / f"history-{request.node.name}.jsonl"))
    yield scenario
    scenario.end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The long run's numbers."""
    if lines := figures.table():
        terminalreporter.section("chaos: the numbers")
        terminalreporter.write_line("\n".join(lines))
