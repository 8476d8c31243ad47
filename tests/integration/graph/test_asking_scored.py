"""The question sets on the seeded graph, through the gate and the real server, with the grammar; and the command."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.graph import queries
from apps.graph.management.commands.score_questions import run
from apps.graph.nl2cypher import catalogue, scoring
from apps.graph.seeding.sowing import sow
from tests.factories import make_principal, make_tenant

QUESTIONS = Path(__file__).resolve().parents[2] / "data" / "questions"
SETS = sorted(path.stem for path in QUESTIONS.glob("*.json"))
USERS = 12
SLOTS = {"name": "h.frassino0", "tag": "urgent", "number": 3}


@pytest.fixture(scope="module")
def tenant() -> Any:
    """A tenant with the seeded graph."""
    made = make_tenant()
    sow(made.id, users=USERS, seed=1)
    return made


@pytest.fixture(scope="module")
def asker(tenant: Any) -> Any:
    return make_principal(tenant)


@pytest.mark.requirement("asking:accuracy")
def test_nine_of_ten_questions_are_answered_right_and_none_about_something_else(asker: Any) -> None:
    questions = [one for name in SETS for one in scoring.load(QUESTIONS / f"{name}.json")]

    score = run(asker, questions)

    missed = [
        (one.verdict, one.phrasing, one.answer.cypher or one.answer.sentence)
        for one in score.scored
        if one.verdict != "right"
    ]
    assert len({one.id for one in questions}) >= 60 and len(score.scored) >= 200
    assert score.accuracy >= 0.9, missed
    assert score.count("elsewhere") == 0, [one for one in missed if one[0] == "elsewhere"]
    assert score.silent_refusals == 0


@pytest.mark.requirement("asking:score-command")
def test_the_command_prints_accuracy_refusals_and_times(tenant: Any, tmp_path: Path) -> None:
    one = tmp_path / "few.json"
    one.write_text(
        '{"questions": [{"id": "a", "expects": "rows", "phrasings": ["how many users are there"],'
        ' "reference": "MATCH (u:User) RETURN count(u)"}, {"id": "b", "expects": "rows",'
        ' "phrasings": ["how many blorps are there"], "reference": "MATCH (t:Task) RETURN count(t)"}]}'
    )
    said = StringIO()

    call_command("score_questions", tenant=tenant.slug, questions=one, stdout=said)

    assert "few: 2 phrasings" in said.getvalue()
    assert "50.0% right, 1 refused that have an answer, 0 wrong" in said.getvalue()
    assert "'blorps'" in said.getvalue() and "execute" in said.getvalue()


@pytest.mark.requirement("asking:score-command")
def test_the_command_wants_a_seeded_graph() -> None:
    empty = make_tenant()

    with pytest.raises(CommandError, match="seed the graph first"):
        call_command("score_questions", tenant=empty.slug, questions=QUESTIONS / "held_out.json", stdout=StringIO())


@pytest.mark.requirement("asking:catalogue-passes")
def test_every_query_of_the_catalogue_runs(asker: Any) -> None:
    empty = []
    for entry in catalogue.entries():
        wanted = {name: value for name, value in SLOTS.items() if f"${name}" in entry.cypher}
        rows = queries.read(asker, queries.inspected(asker, entry.cypher, wanted))
        if not rows.rows and not wanted:
            empty.append(entry.id)

    assert len(empty) <= 12, empty


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ([["a", 1], ["b", 2]], [["b", 2, "x"], ["a", 1, "y"]], True),
        ([["a", 1], ["b", 2]], [[1, "a"], [2, "b"]], True),
        ([["a", 1], ["b", 2]], [["a", 2], ["b", 1]], False),
        ([["a"], ["a"]], [["a"], ["b"]], False),
        ([["a"]], [["a"], ["a"]], False),
        ([[2.0000000001]], [[2]], True),
        ([], [], True),
        ([["a", "a"]], [["a"]], False),
    ],
)
def test_rows_are_the_same_whatever_their_order_and_the_columns_besides(expected: Any, got: Any, same: bool) -> None:
    assert scoring.same_rows(expected, got) is same
