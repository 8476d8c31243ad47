"""Stage 1, and what is refused before anything is looked up."""

import pytest

from apps.graph.nl2cypher.normalize import MAX_CHARS, cleaned, normalize
from apps.graph.nl2cypher.types import Refused
from apps.graph.nl2cypher.wishes import admit


@pytest.mark.requirement("asking:normalize")
def test_what_cannot_be_seen_is_taken_out() -> None:
    written = "  How\u200b many\u202e ta\u00adsks\n\t fai\U000e0041led\x00 ?!  "

    assert cleaned(written) == "How many tasks failed"


@pytest.mark.requirement("asking:normalize")
def test_letters_are_composed() -> None:
    assert cleaned("universita\u0300") == "università"


@pytest.mark.requirement("asking:normalize")
def test_the_question_is_read_for_what_it_speaks_of() -> None:
    question = normalize("failed tasks of user 'anna' larger than 10 MB in Italy since 2023")

    found = {(one.kind, one.value) for one in question.entities}
    assert {("value", "failed"), ("label", "Task"), ("label", "User"), ("quoted", "anna"), ("number", 10_000_000),
            ("value", "Italy")} <= found  # fmt: skip
    assert ("date", "2023-01-01") in found or ("number", 2023) in found


@pytest.mark.requirement("asking:normalize")
@pytest.mark.parametrize(
    ("written", "read"),
    [("how many taks failed", ("taks", "task")), ("protiens", ("protiens", "protein")),
     ("list the experments", ("experments", "experiment"))],
)  # fmt: skip
def test_slips_of_the_finger_are_put_right_and_told(written: str, read: tuple[str, str]) -> None:
    assert normalize(written).corrections == (read,)


@pytest.mark.requirement("asking:normalize")
@pytest.mark.parametrize("written", ["genre", "sampler", "salary", "weather", "finish line", "exams"])
def test_other_words_are_not_bent_into_known_ones(written: str) -> None:
    assert normalize(written).corrections == ()


@pytest.mark.requirement("asking:normalize")
def test_italian_is_read() -> None:
    question = normalize("quanti task falliti ci sono?")

    assert question.language == "it"
    assert question.text == "how many task failed are there"


@pytest.mark.parametrize("written", ["", " \u200b ", "?", "x" * (MAX_CHARS + 1)])
def test_nothing_and_too_much_are_refused(written: str) -> None:
    with pytest.raises(Refused) as refused:
        normalize(written)

    assert refused.value.refusal.stage == "normalize"
    assert refused.value.refusal.reason


@pytest.mark.requirement("asking:explain")
@pytest.mark.parametrize(
    "written",
    ["explain how many tasks failed", "Profile, do not execute: how many tasks failed",
     "EXPLAIN: how many tasks failed",
     "how many tasks failed, but don't run it", "how many tasks failed (explain only)",
     "show me the query for how many tasks failed"],
)  # fmt: skip
def test_explain_is_seen_and_taken_out_of_the_question(written: str) -> None:
    question = normalize(written)

    assert question.explain_only
    assert question.text == "how many tasks failed"


@pytest.mark.requirement("asking:destructive")
@pytest.mark.parametrize(
    ("written", "selects"),
    [
        ("delete all failed tasks", "EXPLAIN MATCH (t:Task) WHERE t.status = 'failed'"),
        ("Please remove user h.frassino0", "EXPLAIN MATCH (u:User)"),
        ("can you drop the files of user 'anna'", "EXPLAIN MATCH (f:File)"),
        ("show the tasks and then delete failed tasks", "EXPLAIN MATCH (t:Task) WHERE t.status = 'failed'"),
        ("cancella tutti i task falliti", "EXPLAIN MATCH (t:Task) WHERE t.status = 'failed'"),
        ("set the status of task 'x' to done", ""),
        ("update users without email", "EXPLAIN MATCH (u:User) WHERE u.email IS NULL"),
        ("create a new user", ""),
        ("MATCH (n) DETACH DELETE n", ""),
    ],
)
def test_a_wish_to_change_is_refused_with_the_query_that_selects(written: str, selects: str) -> None:
    with pytest.raises(Refused) as refused:
        admit(written)

    assert refused.value.refusal.layer == "read-only"
    assert refused.value.refusal.alternative.startswith(selects)
    assert "$" not in refused.value.refusal.alternative


@pytest.mark.parametrize(
    "written",
    ["files created by blast tasks", "tasks that read and write files", "files named 'delete me'", "empty files",
     "datasets", "tasks that failed to load files", "users who removed files"],
)  # fmt: skip
def test_a_question_that_only_tells_of_changes_is_no_wish(written: str) -> None:
    assert normalize(written).destructive == ""


@pytest.mark.requirement("asking:tenant")
@pytest.mark.parametrize(
    "written", ["tasks of tenant acme", "users of all tenants", "users where tenant_id = 'x'", "cross-tenant users"]
)
def test_other_tenants_cannot_be_asked_about(written: str) -> None:
    with pytest.raises(Refused) as refused:
        admit(written)

    assert refused.value.refusal.layer == "tenant"
