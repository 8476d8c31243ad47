"""The question set on the seeded graph, through the gate and the real server, with the demo adapter's grammar."""

from pathlib import Path
from typing import Any

import pytest

from apps.graph.management.commands.score_questions import run
from apps.graph.nl2cypher import scoring
from apps.graph.seeding.sowing import sow
from tests.factories import make_principal, make_tenant

QUESTIONS = Path(__file__).resolve().parents[2] / "data" / "questions"
USERS = 40


@pytest.fixture(scope="module")
def asker() -> Any:
    """A user of a tenant with the seeded graph."""
    tenant = make_tenant()
    sow(tenant.id, users=USERS, seed=1)
    return make_principal(tenant)


@pytest.mark.requirement("asking:accuracy")
@pytest.mark.parametrize("name", ["development", "held_out"])
def test_nine_of_ten_questions_are_answered_right_and_none_about_something_else(asker: Any, name: str) -> None:
    questions = scoring.load(QUESTIONS / f"{name}.json")

    score = run(asker, questions)

    missed = [(one.verdict, one.phrasing, one.answer.cypher or one.answer.sentence) for one in score.scored
              if one.verdict != "right"]  # fmt: skip
    assert score.accuracy >= 0.9, missed
    assert score.count("elsewhere") == 0, [one for one in missed if one[0] == "elsewhere"]
    assert score.silent_refusals == 0
