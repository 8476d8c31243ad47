"""The one directory that holds all a run leaves behind: lock, passwords, ports, logs, each server's data."""

import contextlib
import fcntl
import json
import os
import random
import secrets
import socket
import time
from pathlib import Path
from typing import IO, Any

LEFTOVER_LIMIT_S = 20.0
MAX_LOG_BYTES = 10 * 1024 * 1024


class DevkitError(Exception):
    """Starting or running failed. The text says what happened and what to do."""


class DataDir:
    """`path`, held by one run at a time.

    The lock's file descriptor is inherited by the servers: after a kill -9 of the supervisor the directory
    stays locked until the last of them has gone, so a new run can never open the same data beside them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[str] | None = None
        self._state: dict[str, dict[str, Any]] = {"passwords": {}, "ports": {}}

    @property
    def lock_fd(self) -> int:
        if self._lock is None:
            raise DevkitError(f"{self.path} is not open.")
        return self._lock.fileno()

    def open(self) -> None:
        """Make the directory if needed, lock it, read the state. Raises DevkitError when it is in use."""
        if self._lock is not None:
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.path / "lock").open("a+")
        except PermissionError as error:
            raise DevkitError(
                f"{error.filename} belongs to another user: run as that user, or remove {self.path}."
            ) from error
        deadline = time.monotonic() + LEFTOVER_LIMIT_S
        while not _try_lock(lock):
            holder = self.holder_pid()
            if holder and is_running(holder):
                lock.close()
                raise DevkitError(f"{self.path} is in use by process {holder}. Stop it first (`make down`).")
            if time.monotonic() > deadline:
                lock.close()
                raise DevkitError(f"Servers of an earlier run still hold {self.path}; `fuser {lock.name}` lists them.")
            time.sleep(0.05)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        if self._state_file.exists():
            self._state = json.loads(self._state_file.read_text())

    def close(self) -> None:
        if self._lock is not None:
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    def holder_pid(self) -> int | None:
        """The process that opened the directory last and did not close it."""
        try:
            return int((self.path / "lock").read_text() or 0) or None
        except FileNotFoundError:
            return None

    def password(self, name: str) -> str:
        """A random password, made once and kept."""
        passwords = self._state["passwords"]
        if name not in passwords:
            passwords[name] = secrets.token_urlsafe(30)
            self._save_state()
        return str(passwords[name])

    def knows_password(self, name: str) -> bool:
        return name in self._state["passwords"]

    def password_lost(self, data: Path) -> DevkitError:
        return DevkitError(f"{data} has data, but its password in {self._state_file} is gone. Remove {self.path}.")

    def port(self, name: str) -> int:
        """A loopback port, the same from run to run while nobody else has taken it."""
        ports = self._state["ports"]
        if name not in ports or not is_free(ports[name]):
            ports[name] = free_port(taken=set(ports.values()))
            self._save_state()
        return int(ports[name])

    def directory(self, name: str) -> Path:
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log_path(self, name: str) -> Path:
        """The log of one process. A large one is set aside as NAME.log.1 first, so ask before starting it."""
        path = self.directory("log") / f"{name}.log"
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    @property
    def _state_file(self) -> Path:
        return self.path / "state.json"

    def _save_state(self) -> None:
        write_private(self._state_file, json.dumps(self._state, indent=1))


def write_private(path: Path, text: str) -> None:
    """Replace a file by one that only its owner may read. Readers see the old text or the new, never half."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT of the last run does not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(taken: set[int] | None = None) -> int:
    """A free loopback port below the ephemeral range.

    Inside that range a client that retries a port whose server is down is sooner or later given the same port
    as its source, connects to itself, and the server cannot come back.
    """
    lowest_ephemeral = 32768
    with contextlib.suppress(OSError):
        lowest_ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    highest = max(lowest_ephemeral - 1, 12000)
    for _ in range(1000):
        port = random.randint(max(highest - 12000, 10000), highest)
        if port not in (taken or ()) and is_free(port):
            return port
    raise DevkitError("No free port was found on 127.0.0.1.")


def is_running(pid: int) -> bool:
    """Whether this process lives. A zombie does not: not every container's init buries its dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc/self").exists()  # no /proc on this system, or it ended just now


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
