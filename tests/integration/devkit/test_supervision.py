"""What happens to the servers and the processes when something is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
import redis

from devkit import supervisor as supervision
from devkit.datadir import DataDir, is_running
from devkit.processes import ManagedProcess, ProcessSpec, stop_all
from devkit.supervisor import Supervisor
from tests.clients import PATIENCE_S

SERVERS = ("postgres", "redis", "graph")


def test_killed_servers_come_back_on_the_same_ports_with_their_data(stand_in, wait_until) -> None:
    before, variables = stand_in.pids, stand_in.variables
    with psycopg.connect(variables["AGENTIC_DATABASE_OWNER_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE note AS SELECT 'kept' AS text")
    with redis.Redis.from_url(variables["REDIS_URL"]) as client:
        client.set("note", "kept")

    for name in SERVERS:
        os.kill(before[name], signal.SIGKILL)

    wait_until(lambda: all(stand_in.pids[name] != before[name] for name in SERVERS))
    wait_until(lambda: _row(variables) == ("kept",))
    wait_until(lambda: _key(variables) == b"kept")
    assert stand_in.pids["family"] == before["family"]


def test_nothing_is_left_when_the_supervisor_is_killed(stand_in, tmp_path: Path, wait_until) -> None:
    everything = {pid for leader in stand_in.pids.values() for pid in _tree(leader)}
    assert len(everything) > len(stand_in.pids)

    stand_in.popen.kill()

    wait_until(lambda: not any(is_running(pid) for pid in everything))
    home = DataDir(tmp_path / "dev data")
    home.open()
    home.close()


def test_a_terminated_supervisor_stops_everything_and_exits_cleanly(stand_in) -> None:
    everything = {pid for leader in stand_in.pids.values() for pid in _tree(leader)}

    stand_in.popen.terminate()

    assert stand_in.popen.wait(timeout=PATIENCE_S) == 0
    assert not any(is_running(pid) for pid in everything)


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], SimpleNamespace]]:
    """Supervises `python -c CODE`; what the supervisor says ends up in the process's `.said`."""
    monkeypatch.setattr(supervision, "FIRST_DELAY_S", 0.1)
    home = DataDir(tmp_path)
    home.open()
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.show_warnings()

    def start(code: str) -> ManagedProcess:
        spec = ProcessSpec("program", [sys.executable, "-c", code], env=dict(os.environ), cwd=tmp_path)
        process = ManagedProcess(spec, home)
        supervisor.adopt(process)
        return SimpleNamespace(process=process, said=said, tick=supervisor.tick)

    yield start
    processes = list(supervisor.processes.values())
    supervisor.let_go()
    stop_all(processes, limit_s=PATIENCE_S)
    supervisor.close()
    home.close()


def test_a_process_that_dies_is_restarted_after_longer_and_longer_delays(supervised, wait_until) -> None:
    program = supervised("raise SystemExit(3)")

    wait_until(lambda: program.tick() or sum("stopped (exit code 3)" in line for line in program.said) == 3)

    delays = [line.partition("restarting in ")[2].split()[0] for line in program.said]
    assert delays == ["0.1", "0.2", "0.4"]


def test_children_of_a_killed_process_are_swept_up_before_it_is_restarted(supervised, wait_until) -> None:
    program = supervised("import subprocess; subprocess.run(['sleep', '600'])")
    first = program.process.pid
    wait_until(lambda: len(_tree(first)) == 2)
    child = max(_tree(first) - {first})

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: program.tick() or program.process.pid != first)
    assert not is_running(child)


def test_only_warnings_reach_the_terminal(supervised, wait_until) -> None:
    program = supervised("print('INFO quiet'); print('WARNING loud', flush=True); import time; time.sleep(600)")

    wait_until(lambda: program.tick() or bool(program.said))

    assert program.said == ["program | WARNING loud"]
    assert "INFO quiet" in program.process.log_path.read_text()


def test_processes_are_killed_even_if_they_ignore_being_asked(supervised, wait_until) -> None:
    code = """if True:
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print('ERROR', flush=True)
        time.sleep(600)
    """
    program = supervised(code)
    wait_until(lambda: program.tick() or bool(program.said))

    stop_all([program.process], limit_s=0.1)

    assert program.process.exit_code() == -signal.SIGKILL


def _tree(pid: int) -> set[int]:
    """A process and its descendants."""
    found = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children: dict[int, list[int]] = {}
    for line in found.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    tree, edge = {pid}, [pid]
    while edge:
        edge = [child for parent in edge for child in children.get(parent, [])]
        tree.update(edge)
    return tree


def _row(variables: dict[str, str]) -> tuple[str] | None:
    try:
        with psycopg.connect(variables["AGENTIC_DATABASE_OWNER_URL"], connect_timeout=20) as connection:
            return connection.execute("SELECT text FROM note").fetchone()
    except psycopg.OperationalError:
        return None


def _key(variables: dict[str, str]) -> bytes | None:
    try:
        with redis.Redis.from_url(variables["REDIS_URL"]) as client:
            return client.get("note")
    except redis.ConnectionError:
        return None
