"""What `make run` does, with a stand-in for the platform's processes. Writes pids and variables to a file."""

import json
import os
import sys
import time
from pathlib import Path

from devkit.datadir import write_private
from devkit.processes import ManagedProcess, ProcessSpec, stop_all
from devkit.servers import EmbeddedServers
from devkit.stop import Stop, StopRequested
from devkit.supervisor import Supervisor

# A process with a child in the same group, like a worker with a pool.
FAMILY = "import subprocess, sys; subprocess.run(['sleep', '600'])"


def main(data_dir: Path, file: Path) -> None:
    stop = Stop()
    servers = EmbeddedServers(data_dir, between_polls=stop.check)
    variables = servers.start()
    supervisor = Supervisor(lambda line: None)
    spec = ProcessSpec("family", [sys.executable, "-c", FAMILY], env=dict(os.environ), cwd=data_dir)
    family = ManagedProcess(spec, servers.home)
    for process in (*servers.processes.values(), family):
        supervisor.adopt(process)

    def tell() -> None:
        pids = {name: process.pid for name, process in supervisor.processes.items()}
        write_private(file, json.dumps({"pids": pids, "variables": variables}))

    supervisor.changed = tell
    tell()
    try:
        while True:
            stop.check()
            supervisor.tick()
            time.sleep(0.05)
    except StopRequested:
        supervisor.let_go()
        stop_all([family], limit_s=5)
        servers.stop()
        supervisor.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
