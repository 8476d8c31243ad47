"""Every benchmark, one after the other; the figures of each are printed as it goes. About half an hour at full size.

``--quick 1``: small sizes, one round, to see that everything works. The exit code is that of the worst.
"""

import subprocess
import sys
from pathlib import Path

import report

SCRIPTS = {
    "drain.py": "--jobs 500 --rounds 1",
    "drain_persistent.py": "--jobs 300 --rounds 1",
    "latency.py": "--jobs 20",
    "idle_streams.py": "--clients 200 --hold-s 2",
    "api.py": "--seconds 1 --rounds 1",
    "layers.py": "--seconds 1 --rounds 1",
    "pii.py": "",
    "cypher_parse.py": "",
    "gate.py": "--times 3",
    "tools.py": "--seconds 1 --rounds 1 --calls 50",
    "audit.py": "--transactions 200 --rounds 1 --rows 2000",
    "agent_steps.py": "--rounds 3 --posts 10 --many-rounds 1",
    "history.py": "--largest 20000 --rounds 1 --requests 50",
}
LIMIT_S = 3600


def main() -> None:
    options = report.arguments(__doc__, quick=0)
    worst = 0
    for script, small in SCRIPTS.items():
        report.say(script)
        command = [sys.executable, str(Path(__file__).with_name(script)), *(small.split() if options.quick else ())]
        worst = max(worst, abs(subprocess.run(command, check=False, timeout=LIMIT_S).returncode))
    sys.exit(min(worst, 1))


if __name__ == "__main__":
    main()
