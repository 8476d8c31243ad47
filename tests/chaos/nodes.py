"""Web servers and workers as the nemesis sees them: processes that may be killed, frozen, stopped, and come back."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from devkit import shim
from tests.clients import wait_for

ROOT = Path(__file__).resolve().parents[2]
SUPERVISE_EVERY_S = 0.1
BACK_OFF_S = 0.3


class Node:
    """One process of the platform, in a session and process group of its own.

    ``supervised``: started again when it ends, as production's supervisor does. ``deaths`` holds how it ended each
    time (exit codes; minus the signal's number).
    """

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], log_path: Path) -> None:
        self.name, self.command, self.env, self.log_path = name, command, dict(env), log_path
        self.supervised = False
        self.deaths: list[int] = []
        self.log_began_at = 0
        self._popen: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """The process id, also of the group; 0 before the first start."""
        return self._popen.pid if self._popen else 0

    def start(self) -> None:
        with self._lock, self.log_path.open("ab") as log:
            self.log_began_at = log.tell()
            self._popen = subprocess.Popen(
                shim.wrap(self.command, death_signal=signal.SIGKILL),
                cwd=ROOT,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def is_running(self) -> bool:
        """Notes the death of a process that has ended, once."""
        with self._lock:
            if self._popen is None:
                return False
            if self._popen.returncode is None and (code := self._popen.poll()) is not None:
                shim.signal_group(self._popen.pid, signal.SIGKILL)
                self.deaths.append(code)
            return self._popen.returncode is None

    def signal(self, number: signal.Signals) -> None:
        """To the whole process group; nothing when it has ended."""
        with self._lock:
            if self.is_running() and not shim.signal_group(self.pid, number):
                os.kill(self.pid, number)  # so young that it has no group of its own yet

    def kill(self) -> None:
        """kill -9 of the group, and wait until it is gone."""
        with self._lock:
            popen = self._popen
            self.signal(signal.SIGKILL)
        if popen is not None:
            popen.wait(60)
            self.is_running()

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def ask_to_stop(self) -> None:
        """SIGTERM to the process itself: a warm shutdown."""
        with self._lock:
            if self.is_running():
                os.kill(self.pid, signal.SIGTERM)

    def retire(self, limit_s: float = 60.0) -> None:
        """Out of service for good: a warm shutdown, and a kill after the limit."""
        self.supervised = False
        self.thaw()
        self.ask_to_stop()
        try:
            wait_for(lambda: not self.is_running(), limit_s=limit_s, what=f"{self.name} stopping")
        finally:
            self.kill()

    def open_files(self) -> int:
        """How many file descriptors the process has open; 0 when it has ended."""
        try:
            return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        except OSError:
            return 0

    def memory_kb(self) -> int:
        """Resident memory; 0 when it has ended."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4
        except OSError:
            return 0

    def log_since(self, offset: int = 0) -> str:
        with self.log_path.open("rb") as log:
            log.seek(offset)
            return log.read().decode(errors="replace")


class Supervisor(threading.Thread):
    """Starts supervised nodes again. Processes end with the thread that started them, so it lives to the end."""

    def __init__(self, nodes: Callable[[], list[Node]]) -> None:
        super().__init__(name="chaos-supervisor", daemon=True)
        self._nodes = nodes
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(SUPERVISE_EVERY_S):
            for node in self._nodes():
                if node.supervised and node.pid and not node.is_running() and not self._done.wait(BACK_OFF_S):
                    node.start()

    def stop(self) -> None:
        self._done.set()
        self.join()
