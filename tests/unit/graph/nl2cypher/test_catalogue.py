"""Stage 2: known questions."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import apps.graph.nl2cypher.catalogue as catalogue
from apps.graph.gate.check import inspect
from apps.graph.nl2cypher.catalogue import entries, look_up
from apps.graph.nl2cypher.normalize import normalize

RAW: list[dict[str, Any]] = json.loads((Path(catalogue.__file__).parent / "catalogue.json").read_text())
FILLED = {"name": "'X-1'", "text": "'X-1'", "number": "7", "year": "2024", "status": "failed", "country": "Italy"}
PATTERNS = [(one["id"], pattern) for one in RAW for pattern in one["patterns"]]


def filled(pattern: str) -> str:
    """The pattern as somebody would ask it."""
    return re.sub(r"\{\w+:(\w+)\}", lambda found: FILLED[found[1]], pattern)


def test_there_are_forty_entries_and_no_name_twice() -> None:
    assert len(RAW) >= 40
    assert len({one["id"] for one in RAW}) == len(RAW)


@pytest.mark.requirement("asking:catalogue")
def test_every_pattern_finds_its_own_entry_in_any_case() -> None:
    lost = [
        (entry, pattern)
        for entry, pattern in PATTERNS
        for asked in (filled(pattern), f"Please show me {filled(pattern)}?", filled(pattern).upper())
        if not asked.lower().startswith("please show me wh") and not asked.lower().startswith("please show me how")
        if (found := look_up(normalize(asked))) is None or found.entry != entry
    ]  # fmt: skip

    assert lost == []


@pytest.mark.requirement("asking:catalogue")
@pytest.mark.parametrize(
    ("asked", "entry"),
    [
        ("WHO RUNS WHICH JOBS?", "who-runs-what"),
        ("which people ran which tasks", "who-runs-what"),
        ("input file of BLAST searches", "blast-inputs"),
        ("how many documents per extension", "files-per-extension"),
        ("researchers per institute", "users-per-institution"),
        ("the 3 most active people", "n-most-active-users"),
    ],
)
def test_plural_and_synonyms_do_not_matter(asked: str, entry: str) -> None:
    found = look_up(normalize(asked))

    assert found is not None and found.entry == entry


@pytest.mark.requirement("asking:catalogue")
def test_slots_become_parameters() -> None:
    found = look_up(normalize("Which tasks are tagged 'Urgent; DROP'?"))

    assert found is not None
    assert found.parameters == {"tag": "Urgent; DROP"}
    assert "Urgent" not in found.cypher


@pytest.mark.parametrize("asked", ["who runs which tools", "inputs of bold tasks", "longest 5 tasks", "files per user"])
def test_what_is_only_similar_is_not_known(asked: str) -> None:
    assert look_up(normalize(asked)) is None


@pytest.mark.requirement("asking:catalogue-passes")
@pytest.mark.parametrize("entry", RAW, ids=lambda one: str(one["id"]))
def test_every_query_passes_the_gate(entry: dict[str, Any]) -> None:
    parameters = {
        name: "x" if kind != "number" else 3 for name, kind in re.findall(r"\{(\w+):(\w+)\}", entry["patterns"][0])
    }

    passed = inspect(entry["cypher"], parameters, tenant_id="t")

    assert passed.columns


def test_slots_of_all_patterns_are_the_parameters_of_the_query() -> None:
    for entry, raw in zip(entries(), RAW, strict=True):
        used = set(re.findall(r"\$(\w+)", entry.cypher))
        for pattern in raw["patterns"]:
            assert {name for name, _ in re.findall(r"\{(\w+):(\w+)\}", pattern)} == used, pattern
