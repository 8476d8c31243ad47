"""The platform's own processes: what `make run` starts, as one would by hand (README)."""

import sys
from collections.abc import Mapping
from dataclasses import replace

from devkit.datadir import DataDir
from devkit.environment import ROOT, child_environment
from devkit.processes import ProcessSpec

WORKERS = ("worker-1", "worker-2")
WEB, BEAT, FLOWER = "web", "beat", "flower"


def prepare_spec(variables: Mapping[str, str]) -> ProcessSpec:
    """Migrate, then seed the demo tenants and users. Runs to its end."""
    return _spec("prepare", ["manage.py", "prepare", "--graph-wait-s", "60", "--graph-users", "40"], variables)


def serving_specs(home: DataDir, variables: Mapping[str, str]) -> list[ProcessSpec]:
    """What must run before the platform can be called healthy."""
    workers = [
        _spec(
            name,
            celery("worker", "--hostname", f"{name}@%h", "--loglevel", "WARNING"),
            {**variables, "AGENTIC_METRICS_PORT": str(home.port(f"{name}-metrics"))},
        )
        for name in WORKERS
    ]
    return [_spec(WEB, ["-m", "config.serve", "--port", variables["AGENTIC_PORT"]], variables), *workers]


def accompanying_specs(home: DataDir, variables: Mapping[str, str]) -> list[ProcessSpec]:
    """What may come up a little later, so that it does not slow down the others' start."""
    beat = celery("beat", "--loglevel", "WARNING", "-s", str(home.path / "beat-schedule"))
    flower = celery("flower", "--address=127.0.0.1", f"--port={variables['AGENTIC_FLOWER_PORT']}")
    # Flower warns of every worker it asks while that is still starting.
    return [_spec(BEAT, beat, variables), replace(_spec(FLOWER, flower, variables), shows_warnings=False)]


def celery(*arguments: str) -> list[str]:
    return ["-m", "celery", "-A", "workers", *arguments]


def _spec(name: str, python_arguments: list[str], variables: Mapping[str, str]) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, *python_arguments], env=child_environment(variables), cwd=ROOT)
