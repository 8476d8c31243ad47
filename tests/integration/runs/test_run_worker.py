"""What a worker has done before it takes its first run."""

from types import SimpleNamespace

from apps.tools.spec import DECLARED
from workers.runs.steps import RunsStep


def test_a_worker_knows_all_tools_before_a_phase_could_be_interrupted_while_it_imports_them(monkeypatch) -> None:
    filled: list[str] = []
    monkeypatch.setattr(DECLARED, "_fill", lambda: filled.append("once"))

    RunsStep(SimpleNamespace(hostname="here", app=SimpleNamespace()))

    assert filled == ["once"]
