"""The ground a benchmark stands on: its own PostgreSQL and Valkey in a temporary directory, the platform's processes,
a tenant and a token. Everything it started is gone when the ``with`` block ends.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[1]
SOURCE_ROOTS = (ROOT / "platform", ROOT, ROOT / "benchmarks")
sys.path[:0] = [str(path) for path in SOURCE_ROOTS if str(path) not in sys.path]
BIN = Path(sys.executable).parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
T = TypeVar("T")


class Spawned:
    """A command of ours in a session of its own, with what it forked."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.name, self.popen, self.log = name, popen, log

    @property
    def pids(self) -> list[int]:
        """Every process of its session."""
        return session_pids(self.popen.pid)

    def cpu_s(self) -> float:
        """CPU seconds its living processes have used."""
        return cpu_s(self.pids)

    def check(self) -> None:
        """RuntimeError with the end of its log when it has ended."""
        if self.popen.poll() is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])
            raise RuntimeError(f"{self.name} ended with {self.popen.returncode}:\n{tail}")

    def stop(self, limit_s: float = 15.0) -> None:
        """SIGTERM, then SIGKILL for the whole session."""
        if self.popen.poll() is None:
            self.popen.terminate()
        with_limit = time.monotonic() + limit_s
        while self.popen.poll() is None and time.monotonic() < with_limit:
            time.sleep(0.02)
        for pid in self.pids:
            kill(pid)
        self.popen.wait()


class Setting:
    """``with Setting() as setting:`` starts the servers, migrates, and loads Django in this process."""

    def __init__(self, **environment: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="agentic-bench-"))
        self.spawned: list[Spawned] = []
        self.admin_url = ""
        self._environment = environment
        self._servers: Any = None

    def __enter__(self) -> "Setting":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.spawned):
            process.stop(limit_s=2.0)
        if "django" in sys.modules and os.environ.get("DJANGO_SETTINGS_MODULE"):
            from django.db import connections

            connections.close_all()
        if self._servers is not None:
            self._servers.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _start(self) -> None:
        from devkit.servers import EmbeddedServers

        for name in [name for name in os.environ if name.startswith("AGENTIC_")]:
            del os.environ[name]
        self._servers = EmbeddedServers(self.home / "servers")
        variables = self._servers.start()
        self.admin_url = variables.pop("AGENTIC_DATABASE_ADMIN_URL")
        python_path = os.pathsep.join(str(path) for path in SOURCE_ROOTS)
        os.environ.update(
            {
                **unconnected(),
                "AGENTIC_ENV": "dev",
                "AGENTIC_LOG_LEVEL": "WARNING",
                **variables,
                "AGENTIC_ISSUER_KEYS_DIR": str(self.home / "issuer-keys"),
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "PYTHONPATH": python_path,
                **self._environment,
            }
        )
        subprocess.run([sys.executable, "manage.py", "prepare"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        import django

        django.setup()

    # -- processes
    def spawn(self, *command: str, name: str, **environment: str) -> Spawned:
        """Start a command; its output goes to NAME.log. ``python`` and installed scripts are this environment's."""
        program = sys.executable if command[0] == "python" else str(BIN / command[0])
        log = self.home / f"{name}-{len(self.spawned)}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [program, *command[1:]],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        spawned = Spawned(name, popen, log)
        self.spawned.append(spawned)
        return spawned

    def workers(self, count: int = 2, *more: str, **environment: str) -> list[Spawned]:
        """The platform's workers, as `make run` starts them."""
        return [
            self.spawn(
                *("celery", "-A", "workers", "worker", "--hostname", f"w{number}@%h", "--loglevel", "WARNING"),
                *more,
                name=f"worker-{number}",
                **environment,
            )
            for number in range(1, count + 1)
        ]

    def stop(self, processes: list[Spawned]) -> None:
        for process in processes:
            process.popen.terminate()
        for process in processes:
            process.stop()
            self.spawned.remove(process)

    def server_cpu_s(self) -> dict[str, float]:
        """CPU seconds of PostgreSQL (with its backends, those that ended too) and of Valkey."""
        return {
            name: cpu_s(tree_pids(self._servers.processes[name].pid), with_dead_children=True)
            for name in ("postgres", "redis")
        }

    # -- callers
    def tenant(self) -> Any:
        from tests.factories import make_tenant

        return make_tenant()

    def token(self, tenant: Any, sub: str = "bench", role: str = "user") -> str:
        from tests.factories import make_token

        return make_token(tenant, role=role, sub=sub, ttl_s=6 * 3600)

    def wait_for_http(self, url: str, process: Spawned, limit_s: float = 40.0) -> None:
        """Until GET ``url`` answers."""

        def answers() -> bool:
            process.check()
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return True
            except OSError:
                return False

        wait_for(answers, limit_s=limit_s, what=f"{process.name} answering")


def unconnected() -> dict[str, str]:
    """Settings that need no server (the tests' own)."""
    lines = (ROOT / "tests" / "unconnected.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def wait_for(look: Callable[[], T], *, limit_s: float, what: str, every_s: float = 0.05) -> T:
    """What ``look`` returns once it is true; TimeoutError after the limit."""
    deadline = time.monotonic() + limit_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {limit_s:.0f} s")
        time.sleep(every_s)
    return seen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat after the name; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def session_pids(session: int) -> list[int]:
    """Processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) and int(fields[3]) == session:
            found.append(int(entry.name))
    return found


def tree_pids(root: int) -> list[int]:
    """A process and its descendants (PostgreSQL's backends have sessions of their own)."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s(pids: list[int], *, with_dead_children: bool = False) -> float:
    """User and system CPU seconds of these processes."""
    ticks = 0
    for pid in pids:
        if fields := _stat(pid):
            ticks += sum(int(field) for field in fields[11 : 15 if with_dead_children else 13])
    return ticks / TICKS_PER_S


def rss_kb(pids: list[int]) -> int:
    """Resident memory of these processes, kB."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total
