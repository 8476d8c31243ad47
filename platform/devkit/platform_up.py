"""`make run`: the servers, the database's set-up, every process, the tour; then staying up."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from devkit import http_client, shim
from devkit.datadir import DevkitError
from devkit.environment import (
    ROOT,
    child_environment,
    choose_api_port,
    platform_variables,
    remove_env_file,
    write_env_file,
)
from devkit.platform_processes import (
    BEAT,
    FLOWER,
    WEB,
    WORKERS,
    accompanying_specs,
    prepare_spec,
    serving_specs,
)
from devkit.processes import ManagedProcess, ProcessSpec, describe_exit, stop_all
from devkit.servers import EmbeddedServers
from devkit.stop import Stop, StopRequested
from devkit.supervisor import Supervisor
from devkit.welcome import welcome

HEALTHY_LIMIT_S = 60.0
FAILURES_BEFORE_GIVING_UP = 3  # of one process, before the platform was ever healthy
WORKER_STOP_LIMIT_S = 30.0  # a warm stop: jobs in hand finish or go back to the queue
STOP_LIMIT_S = 10.0
PID_VARIABLES = {
    "AGENTIC_WEB_PID": WEB,
    "AGENTIC_WORKER_PID": WORKERS[0],
    "AGENTIC_BEAT_PID": BEAT,
    "AGENTIC_FLOWER_PID": FLOWER,
    "AGENTIC_POSTGRES_PID": "postgres",
    "AGENTIC_REDIS_PID": "redis",
    "AGENTIC_GRAPH_PID": "graph",
}


class PlatformUp:
    """One run of everything, from start to stop. All of it happens on the main thread."""

    def __init__(self, data_dir: Path, *, with_tour: bool) -> None:
        self.started_at_s = time.monotonic()
        self.stop = Stop()
        self.servers = EmbeddedServers(data_dir, report=self.report, between_polls=self.stop.check)
        self.home = self.servers.home
        self.with_tour = with_tour
        self.supervisor = Supervisor(self.say)
        self.variables: dict[str, str] = {}
        self.processes: dict[str, ManagedProcess] = {}

    def run(self) -> int:
        """Until somebody asks to stop. Returns the exit code."""
        try:
            self.start()
            while True:
                self.pause(0.2)
        except StopRequested:
            self.say("Stopping; jobs in hand may finish. Ctrl-C again stops at once.")
            return 0
        except DevkitError as error:
            self.say(str(error))
            return 1
        finally:
            self.shut_down()

    def start(self) -> None:
        self.home.open()
        api_port = choose_api_port()
        self.report(f"starting PostgreSQL, Valkey and the graph in {self.home.path}")
        self.servers.launch()
        remove_env_file(self.home)
        for process in self.servers.processes.values():
            self.supervisor.adopt(process)
        self.servers.wait_for("redis", "postgres")
        self.variables = platform_variables(self.home, self.servers.variables(), api_port)
        self.prepare()
        self.start_processes(serving_specs(self.home, self.variables))
        self.wait_until_healthy()
        self.supervisor.show_warnings()
        self.start_processes(accompanying_specs(self.home, self.variables))
        self.write_env_file()
        self.supervisor.changed = self.write_env_file
        credentials = self.popen([sys.executable, "manage.py", "demo_credentials"], stdout=subprocess.PIPE)
        tour = [sys.executable, "-m", "devkit", "tour", "--data-dir", str(self.home.path)]
        if self.with_tour and self.wait(self.popen(tour)) != 0:
            self.say("The tour failed; the platform stays up. See the logs, and try again: `make tour`.")
        self.wait_for_flower()
        self.wait(credentials)
        self.say(welcome(self.variables, credentials.communicate()[0].splitlines(), self.home.path))

    def prepare(self) -> None:
        """Migrate and seed, while the graph is still starting."""
        preparing = ManagedProcess(prepare_spec(self.variables), self.home)
        preparing.start()
        self.servers.wait_for("graph")
        while (code := preparing.exit_code()) is None:
            self.pause()
        if code:
            lines = "\n  ".join(preparing.last_lines())
            raise DevkitError(
                f"`manage.py prepare` failed ({describe_exit(code)}). The end of {preparing.log_path}:\n"
                f"  {lines}\nIf the data is from another version, remove {self.home.path} and start again."
            )
        self.report("the database is migrated and seeded")

    def start_processes(self, specs: list[ProcessSpec]) -> None:
        for spec in specs:
            self.processes[spec.name] = ManagedProcess(spec, self.home)
            self.supervisor.adopt(self.processes[spec.name])
        self.report(f"{', '.join(spec.name for spec in specs)} are starting")

    def wait_until_healthy(self) -> None:
        deadline_s = time.monotonic() + HEALTHY_LIMIT_S
        while problem := self.find_problem():
            self.pause(0.15)
            for name in self.processes:
                if self.supervisor.failures(name) >= FAILURES_BEFORE_GIVING_UP:
                    raise DevkitError(self.explain(name, f"{name} does not start."))
            if time.monotonic() > deadline_s:
                culprit, symptom = problem
                raise DevkitError(self.explain(culprit, f"Not healthy after {HEALTHY_LIMIT_S:.0f} s: {symptom}."))
        self.report("healthy")

    def find_problem(self) -> tuple[str, str] | None:
        """What is not well yet: the process to look at, and the symptom. None when all is well."""
        status, body = http_client.get(f"{self.api_url}/v1/health/ready")
        if status != 200:
            return WEB, f"GET /v1/health/ready answered {status or 'nothing'}: {body[:300]}"
        status, body = http_client.get(f"{self.api_url}/v1/health/components")
        workers = json.loads(body)["checks"].get("workers") if status == 200 else None
        if not workers or not workers["ok"]:
            return WORKERS[0], f"/v1/health/components says of the workers: {json.dumps(workers)}"
        return None

    def explain(self, name: str, problem: str) -> str:
        process = self.processes[name]
        lines = "\n  ".join(process.last_lines()) or "(nothing)"
        return f"{problem} The end of {process.log_path}:\n  {lines}\nCorrect that and run `make run` again."

    def popen(self, command: list[str], stdout: int | None = None) -> subprocess.Popen[str]:
        """A short-lived process, while this one goes on watching. It writes to our terminal, or a pipe."""
        wrapped = shim.wrap(command, death_signal=signal.SIGKILL)
        return subprocess.Popen(wrapped, env=child_environment(self.variables), cwd=ROOT, stdout=stdout, text=True)

    def wait(self, running: subprocess.Popen[str]) -> int:
        try:
            while (code := running.poll()) is None:
                self.pause()
        finally:
            running.kill()
        return code

    def wait_for_flower(self) -> None:
        deadline_s = time.monotonic() + HEALTHY_LIMIT_S
        while not http_client.get(self.variables["FLOWER_URL"])[0]:
            self.pause()
            if time.monotonic() > deadline_s:
                self.say(self.explain(FLOWER, "Flower does not answer; the platform works without it."))
                return

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.variables['AGENTIC_PORT']}"

    def write_env_file(self) -> None:
        """Tell scripts where everything is; again when a process was restarted, for its id is another."""
        pids = {name: str(process.pid) for name, process in self.supervisor.processes.items()}
        metrics_ports = [self.processes[name].spec.env["AGENTIC_METRICS_PORT"] for name in WORKERS]
        write_env_file(
            self.home,
            {
                **self.variables,
                "AGENTIC_API_URL": self.api_url,
                "AGENTIC_SUPERVISOR_PID": str(os.getpid()),
                "AGENTIC_WORKER_PIDS": ",".join(pids[name] for name in WORKERS),
                "WORKER_METRICS_URLS": ",".join(f"http://127.0.0.1:{port}/metrics" for port in metrics_ports),
                **{variable: pids[name] for variable, name in PID_VARIABLES.items()},
            },
        )

    def shut_down(self) -> None:
        """Workers first, so that their jobs can end in a working platform; the servers last."""
        began_s = time.monotonic()
        if self.servers.processes:
            remove_env_file(self.home)
        self.supervisor.let_go()
        workers = [process for name, process in self.processes.items() if name in WORKERS]
        others = [process for name, process in self.processes.items() if name not in WORKERS]
        stop_all(workers, limit_s=WORKER_STOP_LIMIT_S, in_a_hurry=self.stop.in_a_hurry)
        stop_all(others, limit_s=STOP_LIMIT_S, in_a_hurry=self.stop.in_a_hurry)
        self.servers.stop(self.stop.in_a_hurry)
        self.supervisor.close()
        if self.servers.processes:
            self.say(f"Stopped in {time.monotonic() - began_s:.1f} s.")

    def pause(self, seconds: float = 0.05) -> None:
        """Wait a moment with an eye on everything. Raises StopRequested."""
        self.stop.check()
        self.supervisor.tick()
        time.sleep(seconds)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def report(self, progress: str) -> None:
        self.say(f"[{time.monotonic() - self.started_at_s:5.1f} s] {progress}")
