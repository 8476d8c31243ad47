"""`python -m devkit up|down|servers|tour|status`: the embedded servers and the one-command run."""

import argparse
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from devkit import shim, tour
from devkit.datadir import DataDir, DevkitError, is_running
from devkit.environment import (
    DATA_DIR,
    DEFAULT_API_PORT,
    platform_variables,
    read_env_file,
    remove_env_file,
    write_env_file,
)
from devkit.platform_up import PlatformUp
from devkit.servers import EmbeddedServers
from devkit.stop import Stop, StopRequested
from devkit.supervisor import Supervisor

DOWN_LIMIT_S = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m devkit", description=__doc__)
    commands = {"up": up, "down": down, "servers": servers, "tour": run_tour, "status": status}
    parser.add_argument("command", choices=commands)
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR, help="where all state is kept (default: .dev)")
    parser.add_argument("--no-tour", action="store_true", help="up: do not run the tour")
    parser.add_argument("--with-parent", action="store_true", help="up: stop when the calling process ends (make)")
    arguments = parser.parse_args()
    try:
        return commands[arguments.command](arguments)
    except DevkitError as error:
        print(error, file=sys.stderr)
        return 1


def up(arguments: argparse.Namespace) -> int:
    if arguments.with_parent and shim.ON_LINUX:
        ctypes.CDLL(None).prctl(shim.PR_SET_PDEATHSIG, signal.SIGTERM)
    return PlatformUp(arguments.data_dir, with_tour=not arguments.no_tour).run()


def down(arguments: argparse.Namespace) -> int:
    """Ask the running supervisor to stop, and wait until it has."""
    home = DataDir(arguments.data_dir)
    pid = home.holder_pid()
    if not pid or not is_running(pid):
        print(f"Nothing is running in {home.path}.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + DOWN_LIMIT_S
    while is_running(pid) and home.holder_pid() == pid:
        if time.monotonic() > deadline_s:
            raise DevkitError(f"Process {pid} is still stopping after {DOWN_LIMIT_S:.0f} s; `kill -9 {pid}` ends all.")
        time.sleep(0.05)
    return 0


def servers(arguments: argparse.Namespace) -> int:
    """Only PostgreSQL, Valkey and the graph, until Ctrl-C; `.dev/env` leads manage.py to them."""
    stop = Stop()
    embedded = EmbeddedServers(arguments.data_dir, report=print, between_polls=stop.check)
    supervisor = Supervisor(print)
    try:
        variables = platform_variables(embedded.home, embedded.start(), DEFAULT_API_PORT)
        for process in embedded.processes.values():
            supervisor.adopt(process)
        write_env_file(embedded.home, variables)
        print(f"Their addresses and passwords are in {embedded.home.path}/env. Ctrl-C stops them.", flush=True)
        while True:
            stop.check()
            supervisor.tick()
            time.sleep(0.2)
    except StopRequested:
        return 0
    finally:
        if embedded.processes:
            remove_env_file(embedded.home)
        embedded.stop(stop.in_a_hurry)
        supervisor.close()


def run_tour(arguments: argparse.Namespace) -> int:
    return tour.run(arguments.data_dir)


def status(arguments: argparse.Namespace) -> int:
    """Which processes are up; 0 when all of them are."""
    variables = read_env_file(arguments.data_dir)
    all_up = True
    for name, value in variables.items():
        if name.endswith(("_PID", "_PIDS")) and name != "AGENTIC_WORKER_PID":  # it is one of the PIDS
            up = all(is_running(int(pid)) for pid in value.split(","))
            all_up = all_up and up
            label = name.removeprefix("AGENTIC_").rpartition("_")[0].lower()
            print(f"{label:<12} {'up' if up else 'DOWN':<5} {value}")
    print(f"{'api':<12} {variables.get('AGENTIC_API_URL', 'not started')}")
    return 0 if all_up else 1


if __name__ == "__main__":
    sys.exit(main())
