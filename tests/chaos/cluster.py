"""A platform of the suite's own, to be broken: PostgreSQL and Valkey on data and ports of their own, web servers and
workers started as one does by hand. Killing any of it disturbs nobody else.

(Not named platform.py: pytest puts this directory on the path, and the standard library has a module of that name.)
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from devkit.datadir import DataDir, free_port
from devkit.postgres_server import PostgresServer
from devkit.processes import POLL_S, ManagedProcess
from devkit.redis_server import RedisServer
from tests import run_script
from tests.chaos.nodes import ROOT, Node, Supervisor
from tests.chaos.schema import EFFECTS_SCHEMA
from tests.clients import Api, is_up, wait_for
from tests.factories import make_token

QUICK = {
    "AGENTIC_LEASE_S": "3",
    "AGENTIC_HEARTBEAT_S": "0.7",
    "AGENTIC_SWEEP_S": "0.3",
    "AGENTIC_WORKER_CONCURRENCY": "16",
}
PRODUCTION = {"AGENTIC_LEASE_S": "10", "AGENTIC_HEARTBEAT_S": "2.5", "AGENTIC_SWEEP_S": "1"}
READY_LIMIT_S = 60.0


class Tenant:
    """Stands in for apps.tenancy's: rows of another database than the one Django is connected to here."""

    def __init__(self) -> None:
        self.id = uuid4()


class Platform:
    """Servers, web servers, workers. Call from the main thread: servers end with the thread that started them."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = DataDir(home / "chaos-servers")
        self.nodes: list[Web | Worker] = []
        self.supervisor = Supervisor(lambda: list(self.nodes))
        self._environment: dict[str, str] = {}
        self.servers: list[ManagedProcess] = []
        self.web: Web
        self.workers: list[Worker] = []
        self.files_at_start: dict[int, int] = {}  # process id -> open files when first looked at

    # -- life
    def start(self) -> None:
        """Both servers, migrated; no web server and no worker yet."""
        self.data.open()
        self.postgres, self.redis = PostgresServer(self.data), RedisServer(self.data)
        self.postgres_process = ManagedProcess(self.postgres.spec(), self.data)
        self.redis_process = ManagedProcess(self.redis.spec(), self.data)
        self.servers = [self.postgres_process, self.redis_process]
        self.start_redis()
        self.start_postgres()
        self.postgres.finish()
        variables = {**self.postgres.variables(), **self.redis.variables()}
        self.admin_url = variables.pop("AGENTIC_DATABASE_ADMIN_URL")
        ours = ("AGENTIC_SECRET_KEY", "AGENTIC_ISSUER_KEYS_DIR", "AGENTIC_RATE_LIMIT_FACTOR", "PYTHONPATH",
                "DJANGO_SETTINGS_MODULE")  # fmt: skip
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AGENTIC_")}
        self._environment = {
            **inherited,
            **{name: os.environ[name] for name in ours},
            **variables,
            "AGENTIC_ENV": "test",
            "AGENTIC_LOG_FORMAT": "console",
            "GRAPH_URL": "bolt://127.0.0.1:1",
        }
        prepare = [sys.executable, str(ROOT / "manage.py"), "prepare"]
        subprocess.run(prepare, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env=self._environment)
        self._environment.pop("AGENTIC_DATABASE_OWNER_URL")
        with psycopg.connect(variables["AGENTIC_DATABASE_OWNER_URL"]) as owner:
            owner.execute(EFFECTS_SCHEMA)
            owner.execute(run_script.EFFECTS_SCHEMA)
        self.supervisor.start()

    def stop(self) -> None:
        for node in self.nodes:
            node.supervised = False
        if self.supervisor.is_alive():
            self.supervisor.stop()
        for node in self.nodes:
            node.kill()
        for process in self.servers:
            self._kill_server(process)
        self.data.close()

    # -- web servers and workers
    def start_web(self, name: str, *, supervised: bool = True, **settings: str) -> "Web":
        node = Web(name, free_port(), {**self._environment, **QUICK, **settings}, self.home)
        return self._start(node, supervised=supervised)

    def start_worker(self, name: str, *, supervised: bool = True, **settings: str) -> "Worker":
        node = Worker(name, {**self._environment, **QUICK, **settings}, self.home)
        return self._start(node, supervised=supervised)

    def stand_up(self, **settings: str) -> None:
        """What most tests need: a web server and two workers, all ready. What is there already stays."""
        if not self.nodes:
            self.web = self.start_web("web-1")
        if not self.workers:
            self.workers = [self.start_worker(f"worker-{number}", supervised=True, **settings) for number in (1, 2)]
        self.wait_ready(*self.nodes)

    def _start(self, node: Any, *, supervised: bool) -> Any:
        node.start()
        node.supervised = supervised
        self.nodes.append(node)
        return node

    def wait_ready(self, *nodes: "Web | Worker", limit_s: float = READY_LIMIT_S) -> None:
        """Web servers answer, workers beat and take jobs."""
        for node in nodes:
            wait_for(partial(self._is_ready, node), limit_s=limit_s, what=f"{node.name} being ready", every_s=0.05)

    def _is_ready(self, node: "Web | Worker") -> bool:
        return node.is_ready() and (isinstance(node, Web) or self.beats(node))

    def beats(self, node: Node) -> bool:
        """Whether this worker process has been heard of in the last 3 seconds."""
        sql = "SELECT 1 FROM worker_heartbeats WHERE pid = %s AND seen_at > now() - interval '3 s'"
        return bool(self.query(sql, [node.pid]))

    def retire(self, *nodes: "Web | Worker") -> None:
        for node in nodes:
            node.supervised = False
        for node in nodes:
            node.thaw()
            node.ask_to_stop()
        for node in nodes:
            node.retire()
            self.nodes.remove(node)

    def dismiss_workers(self) -> None:
        """Kill the standing workers, because the next ones are to have other settings."""
        self.dismiss(*self.workers)
        self.workers = []

    def dismiss_extras(self) -> None:
        """Kill what a test started beside the standing ones."""
        self.dismiss(*(node for node in self.nodes if node is not self.web and node not in self.workers))

    def dismiss(self, *nodes: "Web | Worker") -> None:
        for node in nodes:
            node.supervised = False
            node.kill()
            self.nodes.remove(node)

    # -- servers
    def start_postgres(self) -> float:
        """Start it, as often as it takes: a dead postmaster's children may hold its memory. Returns seconds."""
        return self._start_server(self.postgres_process, self.postgres)

    def start_redis(self, *, empty: bool = False) -> float:
        if empty:
            shutil.rmtree(self.data.path / "redis" / "appendonlydir", ignore_errors=True)
        return self._start_server(self.redis_process, self.redis)

    def kill_postgres(self) -> None:
        self._kill_server(self.postgres_process)

    def kill_redis(self) -> None:
        self._kill_server(self.redis_process)

    @staticmethod
    def _start_server(process: ManagedProcess, server: Any) -> float:
        began = time.monotonic()
        process.start()
        while not server.is_ready(process.pid):
            if process.exit_code() is not None:
                process.start()
            assert time.monotonic() < began + READY_LIMIT_S, process.last_lines()
            time.sleep(POLL_S)
        return time.monotonic() - began

    @staticmethod
    def _kill_server(process: ManagedProcess) -> None:
        process.kill()
        wait_for(lambda: process.exit_code() is not None, what=f"{process.name} dying")

    # -- looking, behind the platform's back
    def query(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Rows as the superuser sees them."""
        with psycopg.connect(self.admin_url, autocommit=True, connect_timeout=5) as connection:
            return connection.execute(sql, values).fetchall()

    def engine_url(self, port: int) -> str:
        """How workers reach PostgreSQL by another port."""
        return self._environment["AGENTIC_DATABASE_ENGINE_URL"].replace(f":{self.postgres.port}/", f":{port}/")

    def redis_client(self) -> Any:
        import redis

        return redis.Redis.from_url(self.redis.variables()["REDIS_URL"], decode_responses=True)

    # -- callers
    def new_tenant(self) -> Tenant:
        tenant = Tenant()
        sql = """INSERT INTO tenants
            (id, slug, name, status, admin_email, metadata, settings, version, created_at, updated_at)
            VALUES (%s, %s, %s, 'active', '', '{}', '{}', 1, now(), now()) RETURNING id"""
        self.query(sql, [tenant.id, f"c-{tenant.id.hex[:16]}", f"Chaos {tenant.id.hex[:16]}"])
        return tenant

    def api(self, web: "Web", tenant: Tenant, role: str = "user", sub: str = "chaos") -> Api:
        return Api(web.url, make_token(tenant, role, sub))  # type: ignore[arg-type]

    def status_counts(self, tenant_id: UUID) -> dict[str, int]:
        return dict(self.query("SELECT status, count(*) FROM jobs WHERE tenant_id = %s GROUP BY 1", [tenant_id]))


class Web(Node):
    """One API server, streams included, on a port it keeps."""

    def __init__(self, name: str, port: int, env: Mapping[str, str], home: Path) -> None:
        command = [sys.executable, "-m", "config.serve", "--port", str(port)]
        super().__init__(name, command, env, home / f"chaos-{name}.log")
        self.url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        """It answers."""
        return is_up(self.url)


class Worker(Node):
    """One Celery worker whose ``test`` jobs leave an effect behind (tests/chaos/effects.py), and whose runs follow
    scripts (tests/run_script.py)."""

    def __init__(self, name: str, env: Mapping[str, str], home: Path) -> None:
        worker = ["worker", "--hostname", f"{name}@chaos", "--loglevel", "INFO",
                  "-I", "tests.chaos.effects,tests.run_script"]  # fmt: skip
        super().__init__(
            name, [sys.executable, "-m", "celery", "-A", "workers", *worker], env, home / f"chaos-{name}.log"
        )

    def is_ready(self) -> bool:
        """Its consumer has started, after looking for its neighbours for a second."""
        return "ready." in self.log_since(self.log_began_at)
