"""Questions without a model: what is understood, what is refused, and that nothing is guessed."""

import random
import time

import pytest

from apps.graph import schema
from apps.graph.gate.check import inspect
from apps.graph.nl2cypher.grammar import spelling
from apps.graph.nl2cypher.grammar.lexicon import VOCABULARY
from apps.graph.nl2cypher.grammar.roads import road
from apps.graph.nl2cypher.grammar.understanding import NotUnderstood, Understood, understand
from apps.graph.nl2cypher.scoring import spoken_of


def cypher_of(question: str) -> tuple[str, dict[str, object]]:
    found = understand(question)
    assert isinstance(found, Understood), found
    return found.cypher, found.parameters


def refusal_of(question: str) -> NotUnderstood:
    found = understand(question)
    assert isinstance(found, NotUnderstood), found
    return found


@pytest.mark.requirement("asking:grammar")
@pytest.mark.parametrize(
    ("question", "cypher", "parameters"),
    [
        ("how many tasks failed", "MATCH (t:Task) WHERE t.status = $status RETURN count(t) AS count",
         {"status": "failed"}),
        ("users without email", "MATCH (u:User) WHERE u.email IS NULL RETURN u.user_name AS user_name, "
         "u.user_id AS user_id ORDER BY user_name, user_id", {}),
        ("which users ran more than 5 tasks", "MATCH (u:User) OPTIONAL MATCH (u)-[:RUNS]->(t:Task) "
         "WITH u, count(DISTINCT t) AS task_count WHERE task_count > $number "
         "RETURN u.user_name AS user_name, u.user_id AS user_id ORDER BY user_name, user_id", {"number": 5}),
        ("files never used as input", "MATCH (f:File) WHERE NOT EXISTS { MATCH (f)-[:INPUT]->(t:Task) } "
         "RETURN f.user_filename AS user_filename, f.file_id AS file_id ORDER BY user_filename, file_id", {}),
        ("average size of files per extension", "MATCH (f:File) RETURN f.extension AS extension, "
         "avg(f.size) AS average_size ORDER BY extension", {}),
        ("how many files did blast tasks of users in Italy produce",
         "MATCH (f:File)<-[:OUTPUT]-(t:Task:Blast)<-[:RUNS]-(u:User)-[:WORKS_AT]->(i:Institution) "
         "WHERE i.country = $country RETURN count(DISTINCT f) AS count", {"country": "Italy"}),
        ("is there any running task", "MATCH (t:Task) WHERE t.status = $status RETURN count(t) > 0 AS answer",
         {"status": "running"}),
        ("tasks started in May 2024", "MATCH (t:Task) WHERE t.start >= $start_from AND t.start < $start_to RETURN "
         "t.task_id AS task_id, t.start AS start ORDER BY task_id",
         {"start_from": "2024-05-01", "start_to": "2024-06-01"}),
        ("average number of tasks per user", "MATCH (u:User) OPTIONAL MATCH (t:Task)<-[:RUNS]-(u) "
         "WITH u, count(DISTINCT t) AS count RETURN avg(count) AS average_count", {}),
    ],
)  # fmt: skip
def test_a_question_becomes_this_query(question: str, cypher: str, parameters: dict[str, object]) -> None:
    assert cypher_of(question) == (cypher, parameters)


@pytest.mark.requirement("asking:grammar")
@pytest.mark.parametrize("label", sorted(schema.LABEL_NAMES))
def test_every_label_can_be_counted_listed_and_asked_for_each_of_its_properties(label: str) -> None:
    noun = VOCABULARY["nouns"][label][0]

    assert f":{label})" in cypher_of(f"how many {noun}s are there")[0]
    for one in schema.label_named(label).properties:
        text, _ = cypher_of(f"{noun}s without {one.name}")
        assert "IS NULL" in text and one.name in text


@pytest.mark.requirement("asking:no-other-label")
def test_between_labels_that_the_schema_does_not_relate_nothing_is_found() -> None:
    for one in schema.LABELS:
        for other in schema.LABELS:
            noun, second = (VOCABULARY["nouns"][each.label][0] for each in (one, other))
            found = understand(f"how many {noun}s have {second}s")
            if road(one.label, other.label) is None:
                assert isinstance(found, NotUnderstood), (noun, second)
                assert found.reason
            else:
                assert isinstance(found, Understood), (noun, second)
                assert f":{one.label})" in found.cypher and f":{other.label})" in found.cypher


@pytest.mark.requirement("asking:every-word")
@pytest.mark.parametrize(
    ("question", "word"),
    [("salary of users", "salary"), ("how many quantum tasks failed", "quantum"), ("my tasks", "my"),
     ("users who ran only failed tasks", "only"), ("median size of files", "median"),
     ("tasks started yesterday", "yesterday"),
     ("users with the highest income", "income"), ("genes expressed in liver", "expressed")],
)  # fmt: skip
def test_a_word_that_means_nothing_here_is_named(question: str, word: str) -> None:
    refused = refusal_of(question)

    assert word in refused.words
    assert f"'{word}'" in refused.reason
    assert refused.hint


@pytest.mark.requirement("asking:no-other-label")
@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("proteins of gene TP53", "no relationship between Protein and Gene"),
        ("tools used by tasks", "Tool"),
        ("size of the datasets", "Dataset has no property size"),
        ("files by user 'anna'", "read or wrote"),
        ("files used by 'anna'", "Say what anna is"),
        ("genes on chromosome 99", "chromosome is never 99"),
        ("tasks with status exploded", "status is never exploded"),
        ("newest file", "does not say when"),
        ("samples larger than 10 MB", "Sample has no property size"),
        ("failed users", "No property of User can be failed"),
        ("users larger than 10 MB", "User has no property size"),
        ("workflows with size above 3 hours", "Workflow has no property size"),
        ("files with size above 3 hours", "size is not counted in seconds"),
    ],
)
def test_what_the_schema_does_not_have_is_said(question: str, why: str) -> None:
    assert why in refusal_of(question).reason


@pytest.mark.requirement("asking:no-other-label")
@pytest.mark.parametrize(
    "question",
    ["users who ran all blast tasks", "users in total", "tasks longer than the average", "users in Italy or postdocs",
     "failed tasks or blast tasks", "size of files per user", "users and tasks", "top users", "how many",
     "tasks read by files", "users run by tasks", "institutions that run users", "files that produced tasks",
     "which files were produced by tasks of the user with the most tasks"],
)  # fmt: skip
def test_what_could_be_meant_in_several_ways_or_in_none_is_refused(question: str) -> None:
    assert refusal_of(question).reason


NOUNS = [(words[0], name) for name, words in VOCABULARY["nouns"].items()]
PROPERTIES = [words[0] for words in VOCABULARY["properties"].values()]
SAID = ["run by {}", "that ran {}", "produced by {}", "that used {}", "with {}", "without {}", "with more than 3 {}",
        "of {}", "with the most {}", "per {}", "by {}", "and {}", "of {} in Italy", "that {} produced"]  # fmt: skip
OPENINGS = ["how many", "list", "which", "is there any", "the 5 largest", "top 3", "number of", "average {} of",
            "different {} of", "failed", "human", "csv", ""]  # fmt: skip


def made_up(dice: random.Random) -> tuple[str, set[str]]:
    """A sentence of the right words in an order of chance, and the labels that it names."""
    named = [dice.choice(NOUNS) for _ in range(dice.randint(1, 3))]
    opening = dice.choice(OPENINGS).format(dice.choice(PROPERTIES))
    first, *others = (spelling.plural(noun) if dice.random() < 0.7 else noun for noun, _ in named)
    said = " ".join(dice.choice(SAID).format(noun) for noun in others)
    last = dice.choice(["", "", f"whose {dice.choice(PROPERTIES)} is missing", f"sorted by {dice.choice(PROPERTIES)}"])
    return f"{opening} {first} {said} {last}", {name for _, name in named}


@pytest.mark.requirement("asking:no-other-label")
def test_no_label_of_a_question_is_lost_and_whatever_is_understood_passes_the_gate() -> None:
    dice = random.Random(5)
    understood = 0

    for _ in range(600):
        question, labels = made_up(dice)
        found = understand(question)
        if isinstance(found, Understood):
            understood += 1
            spoken, _ = spoken_of(found.cypher)
            assert labels <= spoken, (question, found.cypher)
            assert inspect(found.cypher, found.parameters, tenant_id="t").columns

    assert understood > 40


def test_values_never_stand_in_the_text() -> None:
    text, parameters = cypher_of('tasks of user "x\' OR 1=1 //"')

    assert "OR 1=1" not in text
    assert "x' or 1=1 //" in parameters.values()


@pytest.mark.parametrize(
    "question",
    ["how is file 'a' connected to user 'b'", "top 5 users by number of tasks", "users who ran no failed task",
     "most common organism of samples", "genes with the same name", "tasks per tag", "users and their institutions",
     "files read by at least 2 users", "tasks with exactly 2 output files", "total size of files per user"],
)  # fmt: skip
def test_what_is_built_passes_the_gate(question: str) -> None:
    text, parameters = cypher_of(question)

    assert inspect(text, parameters, tenant_id="t").columns


@pytest.mark.requirement("asking:bounded")
@pytest.mark.parametrize(
    "question",
    ["tasks with files with tasks with " * 12, "users who ran tasks that read files that " * 9 + "failed",
     "users tasks files " * 25, "of tasks in Italy or France and Germany " * 9, "a" * 2_000, "'" * 500, "in " * 79,
     "failed and " * 300],
)  # fmt: skip
def test_a_long_or_tangled_question_ends_soon(question: str) -> None:
    began = time.thread_time()

    found = understand(question)

    assert isinstance(found, NotUnderstood)
    assert time.thread_time() - began < 10


@pytest.mark.requirement("asking:no-other-label")
@pytest.mark.parametrize(
    "question",
    [
        "users with email at gmail.com",
        "who has the longest user name",
        "which tool has the latest version",
        "files read by all tasks",
        "how many tasks failed on Monday",
        "how many tasks failed in May",
        "the largest file of each user",
        "tasks on Linux",
    ],
)
def test_what_would_be_answered_about_something_else_is_refused(question: str) -> None:
    assert refusal_of(question).reason


@pytest.mark.requirement("asking:no-other-label")
@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("users with an email ending in .org", "toLower(u.email) ENDS WITH $email"),
        ("users that have an email starting with anna", "toLower(u.email) STARTS WITH $email"),
        ("tasks at Montechiaro General Hospital", "-[:WORKS_AT]->(i:Institution) WHERE"),
        ("tasks that were run at Montechiaro General Hospital", "-[:WORKS_AT]->(i:Institution) WHERE"),
    ],
)
def test_a_condition_is_about_what_was_named_last(question: str, said: str) -> None:
    cypher, _ = cypher_of(question)

    assert said in cypher
    assert "user_name)" not in cypher


@pytest.mark.requirement("asking:grammar")
@pytest.mark.parametrize(
    "question",
    ["how many tasks failed in 2023 and in 2024", "genes on chromosome 7 and on chromosome X",
     "publications from 2020 and from 2021", "experiments before 2023 and after 2024",
     "tasks with status failed and status completed", "files smaller than 1 kB and larger than 1 GB",
     "untagged tasks tagged 'urgent'", "users with role postdoc and role technician",
     "users whose tasks started in 2023 and in 2024"],
)  # fmt: skip
def test_what_nothing_can_be_at_once_is_refused_and_not_answered_with_nothing(question: str) -> None:
    found = refusal_of(question)

    assert "both at once" in found.reason and "or" in found.hint


@pytest.mark.requirement("asking:grammar")
@pytest.mark.parametrize(
    "question",
    ["experiments after 2023 and before 2025", "files larger than 1 kB and smaller than 1 GB",
     "tasks started in 2024 after May 2024", "tasks tagged 'urgent' and tagged 'pilot'", "failed tasks that failed",
     "samples from liver and from brain", "tasks that are not failed and not cancelled",
     "files with size at least 5 and size at most 5"],
)  # fmt: skip
def test_what_can_be_at_once_is_asked_together(question: str) -> None:
    assert cypher_of(question)


SAME = [
    ("users who work nowhere", "users who work at no institution"),
    ("institutions where nobody works", "institutions where no user works"),
    ("tasks that wrote nothing", "tasks that wrote no file"),
    ("users who have not run anything", "users who have not run a task"),
    ("in Italy, how many users work?", "how many users work in Italy"),
    ("larger than 10 MB, how many files are there", "how many files are there larger than 10 MB"),
    ("tasks that ran for more than an hour", "tasks that ran for more than 1 hour"),
    ("completed tasks started in 2024, how many?", "how many completed tasks started in 2024"),
    ("which workflow has the most steps", "workflow with the highest number of steps"),
    ("genes with kinase in the name", "genes whose name contains kinase"),
    ("genes with a symbol that begins with LOC", "genes whose symbol begins with LOC"),
    ("datasets whose name contains Homo sapiens", "datasets whose name contains 'homo sapiens'"),
    ("average score per result type", "average score of results by type"),
    ("how many institutions does each country have", "number of institutions per country"),
    ("on which chromosome is EGFR", "chromosome of gene EGFR"),
    ("how many genes sit on the x chromosome", "number of genes on chromosome X"),
    ("blast tasks that used version 2.16.0", "blast tasks with version 2.16.0"),
    ("list the protocols of the experiments", "different protocols of the experiments"),
]


@pytest.mark.requirement("asking:grammar")
@pytest.mark.parametrize(("question", "plainer"), SAME)
def test_another_way_to_say_it_is_the_same_query(question: str, plainer: str) -> None:
    (one, values), (other, others) = cypher_of(question), cypher_of(plainer)

    assert one.replace(" IS NOT NULL AND t.blast_version", "") == other.replace(" IS NOT NULL AND t.blast_version", "")
    assert {str(value).lower() for value in values.values()} == {str(value).lower() for value in others.values()}


@pytest.mark.requirement("asking:grammar")
def test_the_file_that_most_tasks_read_is_ranked_by_the_tasks_that_read_it() -> None:
    cypher, _ = cypher_of("which file was read by the most tasks")

    assert "(t:Task)<-[:INPUT]-(f)" in cypher and cypher.endswith("ORDER BY count DESC, user_filename LIMIT 1")


@pytest.mark.requirement("asking:grammar")
def test_a_text_that_must_not_be_in_a_name_is_not_taken_for_one_that_must() -> None:
    assert isinstance(understand("genes that do not have 'kinase' in their name"), NotUnderstood)
