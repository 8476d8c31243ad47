"""An engine of runs in this process, whose phases follow scripts (tests/run_script.py), as the shared worker's do."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from apps.agents.runs import dispatch
from tests import run_script
from workers.runs.core import RunEngine
from workers.runs.sweeper import LOCK


@pytest.fixture(scope="session")
def effects(admin_url: str) -> Callable[[Any], list[tuple[int, int, str]]]:
    """``effects(run)``: (index, attempt, what) of each line that its steps left outside, in order."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(run_script.EFFECTS_SCHEMA)

    def read(run: Any) -> list[tuple[int, int, str]]:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            sql = "SELECT index, attempt, what FROM run_effects WHERE run_id = %s ORDER BY at"
            return connection.execute(sql, [run.id]).fetchall()

    return read


@pytest.fixture
def undisturbed(admin_url: str, effects: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[UUID]]:
    """No worker takes up what this test carries by hand: nothing is sent, and nobody sweeps. The runs that would have
    been sent."""
    sent: list[UUID] = []
    monkeypatch.setattr(dispatch, "send", lambda ids, **_: sent.extend(ids) or True)
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        yield sent


@pytest.fixture
def engine(undisturbed: Any, settings: Any) -> Iterator[RunEngine]:
    """One without threads: nobody renews its leases, so they are long."""
    settings.LEASE_S = 600.0
    made = RunEngine(name="here")
    yield made
    made.connections.close()


@pytest.fixture
def other_engine(engine: RunEngine) -> Iterator[RunEngine]:
    """Another process, as far as the rows can tell."""
    made = RunEngine(name="there")
    yield made
    made.connections.close()
