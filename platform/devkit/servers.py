"""The three embedded servers as one: started, waited for, stopped. For the one-command run and for tests."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from devkit.datadir import DataDir, DevkitError
from devkit.graph_server import GraphServer
from devkit.postgres_server import PostgresServer
from devkit.processes import POLL_S, ManagedProcess, ProcessSpec, describe_exit, nothing, stop_all
from devkit.redis_server import RedisServer

READY_LIMIT_S = 90.0  # crash recovery after a kill may take a while on a slow disk
STOP_LIMIT_S = 20.0


class Server(Protocol):
    """What the three have in common."""

    name: str
    label: str

    def spec(self) -> ProcessSpec:
        """How to run it; writes its configuration, and its data directory when that is new."""

    def is_ready(self, pid: int) -> bool: ...

    def finish(self) -> None:
        """What must be set up in the running server. Safe to repeat."""

    def variables(self) -> dict[str, str]:
        """The environment variables by which the platform finds it."""


class EmbeddedServers:
    """PostgreSQL, Valkey and the graph over one data directory.

    `start()` returns the environment variables that lead to them. Call it on the main thread: the kernel
    stops the servers when the thread that started them ends. `report` is told about progress;
    `between_polls` is called while waiting and may raise to give up.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        report: Callable[[str], None] = lambda line: None,
        between_polls: Callable[[], None] = nothing,
    ) -> None:
        self.home = DataDir(data_dir)
        self.processes: dict[str, ManagedProcess] = {}
        self._report = report
        self._between_polls = between_polls
        self._servers: dict[str, Server] = {}
        self._started_at_s = 0.0

    def start(self) -> dict[str, str]:
        """All three up and set up, or DevkitError and nothing left running."""
        try:
            self.launch()
            self.wait_for("redis", "postgres", "graph")
        except BaseException:
            self.stop()
            raise
        return self.variables()

    def launch(self) -> None:
        """Take the directory and start the processes, the slowest first; initdb runs while the JVM boots."""
        self._started_at_s = time.monotonic()
        self.home.open()
        for kind in (GraphServer, RedisServer, PostgresServer):
            server: Server = kind(self.home)
            process = ManagedProcess(server.spec(), self.home)
            process.start()
            self._servers[server.name], self.processes[server.name] = server, process

    def wait_for(self, *names: str) -> None:
        """Wait until these servers answer, and set them up."""
        for name in names:
            server, process = self._servers[name], self.processes[name]
            while not server.is_ready(process.pid):
                self._between_polls()
                code = process.exit_code()
                if code is not None:
                    raise DevkitError(f"{server.label} stopped while starting ({describe_exit(code)}).{_tail(process)}")
                if time.monotonic() > self._started_at_s + READY_LIMIT_S:
                    raise DevkitError(f"{server.label} did not answer in {READY_LIMIT_S:.0f} s.{_tail(process)}")
                time.sleep(POLL_S)
            server.finish()
            self._report(f"{server.label} is up ({time.monotonic() - self._started_at_s:.1f} s)")

    def variables(self) -> dict[str, str]:
        return {name: value for server in self._servers.values() for name, value in server.variables().items()}

    def stop(self, in_a_hurry: Callable[[], bool] = lambda: False) -> None:
        stop_all(self.processes.values(), limit_s=STOP_LIMIT_S, in_a_hurry=in_a_hurry)
        self.home.close()


def _tail(process: ManagedProcess) -> str:
    lines = "\n  ".join(process.last_lines())
    return f" The end of {process.log_path}:\n  {lines}" if lines else f" {process.log_path} is empty."
