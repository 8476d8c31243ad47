"""One child process: how it is described, started, looked at and stopped."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devkit import shim
from devkit.datadir import DataDir, DevkitError

POLL_S = 0.03


def nothing() -> None:
    """The default of every hook."""


@dataclass(frozen=True)
class ProcessSpec:
    """What to run. `command[0]` is looked up in PATH; `env` is the whole environment, not an addition."""

    name: str
    command: list[str]
    env: Mapping[str, str]
    cwd: Path
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL  # what the kernel sends it when the supervisor dies
    identity: str = shim.KEEP
    inherited_fds: tuple[int, ...] = ()
    shows_warnings: bool = True  # whether warnings in its log also go to the terminal
    before_start: Callable[[], None] = field(default=nothing)


class ManagedProcess:
    """A process in its own session and process group, writing to a log file."""

    def __init__(self, spec: ProcessSpec, home: DataDir) -> None:
        self.spec = spec
        self.name = spec.name
        self.log_path = home.log_path(spec.name)
        self.started_at_s = 0.0  # time.monotonic()
        self._home = home
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_begins_at = self.log_path.stat().st_size if self.log_path.exists() else 0

    @property
    def pid(self) -> int:
        """The process id, also of the group; 0 before the first start."""
        return self._popen.pid if self._popen else 0

    def start(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            # The kernel sends the death signal when the thread that forked ends, not when the process does.
            raise DevkitError("Processes must be started on the main thread.")
        self.spec.before_start()
        self.log_path = self._home.log_path(self.name)
        command = shim.wrap(self.spec.command, death_signal=self.spec.death_signal, identity=self.spec.identity)
        with self.log_path.open("ab") as log:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.spec.cwd,
                env=dict(self.spec.env),
                pass_fds=self.spec.inherited_fds,
            )
        self.started_at_s = time.monotonic()

    def exit_code(self) -> int | None:
        """None while it runs; minus the number of the signal that ended it. Sweeps up what it left behind."""
        if self._popen is None:
            return 0
        if self._popen.returncode is None and has_ended(self._popen.pid):
            # Orphans (pool processes of a killed worker) would go on working beside the restarted process.
            # Until it is reaped the group's number cannot be anybody else's.
            shim.signal_group(self._popen.pid, signal.SIGKILL)
        return self._popen.poll()

    def ask_to_stop(self) -> None:
        if self.exit_code() is None:
            os.kill(self.pid, self.spec.stop_signal)

    def kill(self) -> None:
        if self.exit_code() is None:
            shim.signal_group(self.pid, signal.SIGKILL)

    def last_lines(self, count: int = 15) -> list[str]:
        """The end of what it has written in this run, restarts included."""
        size = self.log_path.stat().st_size
        with self.log_path.open("rb") as log:
            log.seek(max(self._log_begins_at if self._log_begins_at <= size else 0, size - 20_000))
            return log.read().decode(errors="replace").splitlines()[-count:]


def stop_all(
    processes: Iterable[ManagedProcess], *, limit_s: float, in_a_hurry: Callable[[], bool] = lambda: False
) -> None:
    """Ask all of them to stop and wait; kill those that have not after `limit_s`, or once `in_a_hurry()`."""
    running = list(processes)
    for process in running:
        process.ask_to_stop()
    deadline = time.monotonic() + limit_s
    while running := [process for process in running if process.exit_code() is None]:
        if in_a_hurry() or time.monotonic() > deadline:
            for process in running:
                process.kill()
        time.sleep(POLL_S)


def has_ended(pid: int) -> bool:
    """Whether a child has ended, leaving it unreaped."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def describe_exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
