"""Keeps processes running: restarts what dies, with back-off and a message."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from devkit import shim
from devkit.datadir import DevkitError
from devkit.log_tail import LogTail
from devkit.processes import ManagedProcess, describe_exit, nothing

FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 30.0
HEALTHY_AFTER_S = 60.0  # up that long: the next failure starts again at FIRST_DELAY_S


class Guard:
    """The helper process that ends what the kernel's death signal cannot reach. See shim.guard."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._popen = self._start()

    def watch(self, group: int) -> None:
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let it go; everything it watched must have ended."""
        if self._popen.stdin:
            self._popen.stdin.close()
        self._popen.wait()

    def _tell(self, line: str) -> None:
        try:
            self._write(line)
        except BrokenPipeError:  # somebody killed it
            self._popen.wait()
            self._popen = self._start()
            self._write("".join(f"+{group}\n" for group in self._groups))

    def _write(self, text: str) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write(text.encode())

    @staticmethod
    def _start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*shim.SHIM, "guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )


@dataclass
class Watched:
    """A process under supervision, and how it has fared."""

    process: ManagedProcess
    failures: int = 0  # since it last ran for HEALTHY_AFTER_S
    restart_at_s: float | None = None  # time.monotonic(); None while it runs
    log: LogTail | None = None


class Supervisor:
    """Watches processes from one thread: call `tick()` several times a second.

    `say` gets one-line messages; `changed` is called when a process got a new id.
    """

    def __init__(self, say: Callable[[str], None], changed: Callable[[], None] = nothing) -> None:
        self._say = say
        self.changed = changed
        self._guard = Guard()
        self._watched: dict[str, Watched] = {}
        self._shows_warnings = False

    def adopt(self, process: ManagedProcess) -> None:
        """Watch a process, starting it when it is not running yet."""
        watched = self._watched[process.name] = Watched(process)
        if self._shows_warnings:
            self._follow(watched)
        if not process.pid:
            process.start()
        self._guard.watch(process.pid)

    @property
    def processes(self) -> dict[str, ManagedProcess]:
        return {name: watched.process for name, watched in self._watched.items()}

    def show_warnings(self) -> None:
        """From now on. While everything starts, each process complains that the others are not there yet."""
        self._shows_warnings = True
        for watched in self._watched.values():
            self._follow(watched)

    def failures(self, name: str) -> int:
        return self._watched[name].failures

    def tick(self) -> None:
        """Restart what is due, notice what has died, show new warnings."""
        now_s = time.monotonic()
        for watched in self._watched.values():
            if watched.log:
                watched.log.show_new_lines()
            if watched.restart_at_s is not None:
                if now_s >= watched.restart_at_s:
                    self._restart(watched)
            elif (code := watched.process.exit_code()) is not None:
                self._note_death(watched, code, now_s)
            elif watched.failures and now_s - watched.process.started_at_s > HEALTHY_AFTER_S:
                watched.failures = 0

    def let_go(self) -> None:
        """Watch no longer: everything is about to be stopped on purpose. The guard stays until close()."""
        for watched in self._watched.values():
            if watched.log:
                watched.log.close()
        self._watched.clear()

    def close(self) -> None:
        """When all have been stopped."""
        self.let_go()
        self._guard.close()

    def _follow(self, watched: Watched) -> None:
        if watched.process.spec.shows_warnings:
            watched.log = LogTail(watched.process, self._say)

    def _note_death(self, watched: Watched, code: int, now_s: float) -> None:
        process = watched.process
        self._guard.forget(process.pid)
        delay_s = min(FIRST_DELAY_S * 2**watched.failures, LONGEST_DELAY_S)
        watched.failures += 1
        watched.restart_at_s = now_s + delay_s
        how = describe_exit(code)
        self._say(f"{process.name} stopped ({how}), restarting in {delay_s:g} s. Its log: {process.log_path}")

    def _restart(self, watched: Watched) -> None:
        watched.restart_at_s = None
        try:
            watched.process.start()
        except (OSError, DevkitError) as error:
            self._say(f"{watched.process.name} could not be restarted: {error}")
            watched.failures += 1
            watched.restart_at_s = time.monotonic() + LONGEST_DELAY_S
            return
        self._guard.watch(watched.process.pid)
        self.changed()
