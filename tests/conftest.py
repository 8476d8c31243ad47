"""Real servers for every test: PostgreSQL, Valkey and the graph from their wheels, on free ports, in a directory of
this run's own, beside whatever else runs on the machine.

Nothing is rolled back or mocked. Each test makes its own tenant, so tests do not see each other's rows. Runs of
tests/architecture and tests/unit alone start nothing.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parents[1]
NEEDS_NO_SERVER = ("tests/architecture", "tests/unit", "tests/spec")
LOG_LINES_SHOWN = 40
WORKERS_NEED_SERVERS = "TESTS_NEED_SERVERS"
_state: dict[str, Any] = {}
# A test's examples are the same everywhere, and none fails because a machine was slow.
settings.register_profile("everywhere", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("everywhere")
pytest_plugins = ["tests.running"]  # read after what is below has set Django up


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos-long", action="store_true", help="the long fault-injection run instead of the short one")
    parser.addoption("--isolation-queries", type=int, default=0, help="so many random queries over two tenants")


def _needs_servers() -> bool:
    """Whether this process runs tests that talk to servers. Asked before pytest has parsed its arguments.

    With ``-n`` the first process runs none itself; each of the others has servers of its own.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return os.environ[WORKERS_NEED_SERVERS] == "yes"
    needed = _are_servers_needed()
    if any(argument.startswith(("-n", "--numprocesses")) for argument in sys.argv):
        os.environ[WORKERS_NEED_SERVERS] = "yes" if needed else "no"
        return False
    return needed


def _are_servers_needed() -> bool:
    paths = [argument for argument in sys.argv[1:] if argument.startswith("tests")]
    idle = {"--collect-only", "--help", "-h", "--version", "--markers", "--fixtures"} & set(sys.argv)
    return not idle and not (paths and all(path.startswith(NEEDS_NO_SERVER) for path in paths))


def _unconnected() -> dict[str, str]:
    lines = (ROOT / "tests" / "unconnected.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def _prepare() -> None:
    """Environment first, then servers, then Django, whose settings are read once. At import, because the conftests
    below this one import models."""
    for name in [name for name in os.environ if name.startswith("AGENTIC_")]:
        del os.environ[name]  # a developer's shell must not change what is tested
    variables = _unconnected()
    if _needs_servers():
        from devkit.servers import EmbeddedServers

        home = Path(tempfile.mkdtemp(prefix="agentic-test-"))
        servers = EmbeddedServers(home / "servers")
        _state.update(home=home, servers=servers)
        variables |= servers.start() | {
            "AGENTIC_ISSUER_KEYS_DIR": str(home / "issuer-keys"),
            "AGENTIC_EXPORTS_DIR": str(home / "exports"),
            "AGENTIC_FILES_DIR": str(home / "files"),
        }
        _be_patient(variables["AGENTIC_DATABASE_ADMIN_URL"])
    variables.pop("AGENTIC_DATABASE_ADMIN_URL", None)
    os.environ.update(variables, DJANGO_SETTINGS_MODULE="config.settings", AGENTIC_LOG_FORMAT="console")
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT / "platform"), str(ROOT)))
    import django

    django.setup()
    if "servers" in _state:
        prepare = [sys.executable, str(ROOT / "manage.py"), "prepare"]
        subprocess.run(prepare, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)


def _be_patient(admin_url: str) -> None:
    """What PostgreSQL ends after seconds (deploy/postgres/roles.sql) would else be a transaction of a machine that had
    no time for it. That the platform's roles have those limits is tested on a server of its own."""
    import psycopg

    with psycopg.connect(admin_url, autocommit=True) as superuser:
        for role in ("cineca_app", "cineca_engine", "cineca_issuer"):
            for limit in ("idle_in_transaction_session_timeout = '60s'", "statement_timeout = '60s'"):
                superuser.execute(f"ALTER ROLE {role} SET {limit}")


def _give_connections_back() -> None:
    """Threads of tests end without telling Django, and each would keep its connection from the pool for ever."""
    from django.db import connections

    run = threading.Thread.run

    def run_and_close(self: threading.Thread) -> None:
        try:
            run(self)
        finally:
            connections.close_all()

    threading.Thread.run = run_and_close  # type: ignore[method-assign]


_prepare()
_give_connections_back()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    """What the platform's processes said lately, with each test that failed."""
    report = yield
    if report.failed and "home" in _state:
        for log in sorted(Path(_state["home"]).glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            report.sections.append((log.name, "\n".join(lines)))
    return report


def pytest_unconfigure(config: pytest.Config) -> None:
    if "servers" in _state:
        from django.db import connections

        for process in _state.get("processes", []):
            process.kill()
        connections.close_all()
        _state["servers"].stop()
        shutil.rmtree(_state["home"], ignore_errors=True)


@pytest.fixture(scope="session")
def servers() -> Any:
    """The running devkit.servers.EmbeddedServers."""
    return _state["servers"]


@pytest.fixture(scope="session")
def admin_url(servers: Any) -> str:
    """PostgreSQL as superuser: for looking behind the platform's back."""
    return str(servers.variables()["AGENTIC_DATABASE_ADMIN_URL"])


@pytest.fixture(scope="session")
def home() -> Path:
    """A directory of this run's own."""
    return Path(_state["home"])


@pytest.fixture(scope="session")
def spawn(home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a platform process: ``spawn("celery", "-A", "workers", "worker", name="w1", AGENTIC_LEASE_S="2")``.

    Its output goes to NAME.log in ``home``. What still runs at the end is killed.
    """
    processes: list[subprocess.Popen[bytes]] = _state.setdefault("processes", [])

    def start(module: str, *arguments: str, name: str, **environment: str) -> subprocess.Popen[bytes]:
        with (home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def settings() -> Iterator[Any]:
    """Django's settings; what a test sets on it is undone afterwards. Reaches this process only."""
    from django.conf import settings as real
    from django.test import override_settings

    class Overrides:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def __setattr__(self, name: str, value: Any) -> None:
            change = override_settings(**{name: value})
            change.enable()
            undo.append(change)

    undo: list[Any] = []
    yield Overrides()
    for change in reversed(undo):
        change.disable()


@pytest.fixture
def tenant() -> Any:
    """A tenant of this test's own."""
    from tests.factories import make_tenant

    return make_tenant()
