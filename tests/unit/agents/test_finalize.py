"""The answer of a run: from one result, from several, without a model, refused, ended early."""

from typing import Any

import pytest

from apps.agents.phases.finalize import canonical, finalize, partial
from apps.agents.thinking.budgets import BudgetExhausted
from apps.agents.types import AgentSpec, Intent, StepResult
from apps.llm.errors import CompletionError
from tests.unit.agents.scripted import Scripted, done, make_view, planned, said

PLAIN = AgentSpec("a", 1, response_mode="fallback-only")
COUNT = {
    "text": "7 tasks.",
    "cypher": "MATCH (t:Task) RETURN count(t)",
    "parameters": {},
    "columns": ["count"],
    "rows": [[7]],
}
RANK = {
    "text": "d.fontechiara runs 31.",
    "cypher": "MATCH (u) RETURN u",
    "parameters": {},
    "columns": ["n"],
    "rows": [[31]],
}


def graph(output: dict[str, Any]) -> StepResult:
    return StepResult("graph.ask", "completed", {}, output)


def failed(code: str, message: str = "It broke.") -> StepResult:
    return StepResult("graph.ask", "failed", {}, None, {"code": code, "message": message})


def two(*results: StepResult, **fields: Any) -> Any:
    view = planned(make_view("Count, then rank", intent="GRAPH", **fields), ("count", "graph"), ("rank", "graph"))
    return done(view, *results)


@pytest.mark.requirement("thinking:finalize-modes")
def test_one_result_is_the_answer_and_no_model_is_asked() -> None:
    script = Scripted()
    view = done(planned(make_view("How many?", intent="GRAPH"), ("How many?", "graph")), graph(COUNT))

    final = finalize(view, script.ports())

    assert (final.text, final.succeeded, final.refused, final.degraded) == ("7 tasks.", True, False, False)
    assert (script.asked, script.heard) == ([], ["7 tasks."])


@pytest.mark.requirement("thinking:finalize-modes")
def test_an_answer_that_was_heard_as_it_came_is_not_told_again() -> None:
    script = Scripted()
    view = done(planned(make_view("Hello", intent="CHAT"), ("Hello", "answer")),
                StepResult("model.answer", "completed", {}, {"text": "Hi.", "said": True}))  # fmt: skip

    final = finalize(view, script.ports())

    assert (final.text, script.heard) == ("Hi.", [])


@pytest.mark.requirement("thinking:finalize-modes")
def test_several_results_are_put_into_words_by_a_model_as_it_comes_or_without_one() -> None:
    script, silent = Scripted([said("7 failed; d.fontechiara runs 31.")]), Scripted()

    written = finalize(two(graph(COUNT), graph(RANK)), script.ports())
    plain = finalize(two(graph(COUNT), graph(RANK), agent=PLAIN), silent.ports())

    assert (written.text, script.heard) == ("7 failed; d.fontechiara runs 31.", ["7 failed; d.fontechiara runs 31."])
    assert plain.text == "**count**\n7 tasks.\n\n**rank**\nd.fontechiara runs 31."
    assert (plain.degraded, silent.asked) == (False, [])


@pytest.mark.requirement("thinking:finalize-modes")
def test_without_a_model_the_answer_is_put_together_and_says_that_it_is_degraded() -> None:
    script = Scripted([CompletionError("Nobody.")])

    final = finalize(two(graph(COUNT), graph(RANK)), script.ports())

    assert final.text.startswith("**count**\n7 tasks.")
    assert (final.succeeded, final.degraded) == (True, True)
    assert "No language model answered" in final.warnings[0]


@pytest.mark.requirement("thinking:finalize-modes")
def test_an_answer_of_the_graph_for_which_rules_stood_in_is_degraded() -> None:
    view = done(
        planned(make_view("How many?", intent="GRAPH"), ("How many?", "graph")), graph(COUNT | {"degraded": True})
    )

    assert finalize(view, Scripted().ports()).degraded


@pytest.mark.requirement("thinking:finalize-modes")
def test_numbers_that_no_result_holds_are_pointed_out() -> None:
    script = Scripted([said("There are 7 failed tasks of 4711.")])

    final = finalize(two(graph(COUNT), graph(RANK)), script.ports())

    assert final.warnings == ("The answer names numbers that are in no result: 4711.",)


@pytest.mark.requirement("thinking:graph-evidence")
def test_answers_of_the_graph_bring_query_parameters_and_rows_in_every_mode() -> None:
    for agent in (PLAIN, AgentSpec("a", 1)):
        final = finalize(two(graph(COUNT), graph(RANK), agent=agent), Scripted([said("7 and 31")]).ports())

        found = [output for output in final.outputs if output["type"] == "json"]
        assert [(output["cypher"], output["parameters"], output["rows"]) for output in found] == [
            (COUNT["cypher"], {}, [[7]]), (RANK["cypher"], {}, [[31]]),
        ]  # fmt: skip


@pytest.mark.requirement("thinking:refusal-offer")
def test_a_danger_is_refused_with_the_query_that_would_select_what_was_meant() -> None:
    view = planned(make_view("delete all tasks", intent="DANGEROUS", role="admin"), ("list all tasks", "explain"))
    explained = StepResult("graph.explain", "completed", {}, {"cypher": "MATCH (t:Task) RETURN t", "plan": "Scan"})

    final = finalize(done(view, explained), Scripted().ports())
    bare = finalize(make_view("drop the database", intent="DANGEROUS"), Scripted().ports())

    assert (final.succeeded, final.refused) == (True, True)
    assert "```cypher\nMATCH (t:Task) RETURN t\n```" in final.text
    assert (bare.succeeded, bare.refused) == (True, True)
    assert "EXPLAIN" in bare.text


@pytest.mark.requirement("thinking:missing-right")
def test_a_missing_right_is_named_with_who_has_it() -> None:
    intent = Intent("SECURITY", 0.9, "A change.", "rules", missing="graph:create")

    final = finalize(make_view("Create a node", intent=intent), Scripted().ports())

    assert (final.succeeded, final.refused) == (True, True)
    assert "graph:create" in final.text and "curator" in final.text


@pytest.mark.requirement("thinking:failures")
def test_a_run_fails_where_everything_broke_and_not_where_a_question_had_no_answer() -> None:
    broke = finalize(two(failed("graph_unavailable"), failed("llm_unavailable", "No model.")), Scripted().ports())
    unknown = done(
        planned(make_view("Blue?", intent="GRAPH"), ("Blue?", "graph")), failed("graph_refused", "What is blue?")
    )
    unanswered = finalize(unknown, Scripted().ports())
    half = finalize(two(graph(COUNT), failed("graph_timeout")), Scripted([said("7.")]).ports())

    assert (broke.succeeded, (broke.error or {})["reason"], (broke.error or {})["todos_failed"]) == (
        False,
        "llm_unavailable",
        2,
    )
    assert (unanswered.succeeded, unanswered.degraded) == (True, False)
    assert "What is blue?" in unanswered.text
    assert (half.succeeded, half.degraded, half.warnings) == (True, True, ("rank: It broke.",))


@pytest.mark.requirement("thinking:failures")
def test_a_step_that_another_way_made_good_is_not_told() -> None:
    view = planned(
        make_view("Blue?", intent="GRAPH"), ("Blue?", "graph"), ("think", "reflect"), ("count tasks", "graph")
    )
    thought = StepResult("reflect", "completed", {}, {"reason": "No colours.", "alternative": "count tasks"})

    final = finalize(done(view, failed("graph_refused"), thought, graph(COUNT)), Scripted().ports())

    assert (final.text, final.warnings) == ("7 tasks.", ())


@pytest.mark.requirement("budget:partial")
def test_a_run_that_ends_early_brings_what_it_found() -> None:
    view = done(
        planned(make_view("Count, then rank", intent="GRAPH"), ("count", "graph"), ("rank", "graph")), graph(COUNT)
    )
    error = BudgetExhausted("The run has made 1 of the 1 calls of tools it may make.", budget="tool_calls", limit=1)

    final = partial(view, error)

    assert (final.succeeded, final.degraded) == (False, True)
    assert "7 tasks." in final.text and "1 of the 1 calls" in final.text
    assert final.error == {
        "message": error.detail, "reason": "budget_exhausted", "failure_type": "budget_exhausted",
        "todos_completed": 1, "todos_failed": 0, "todos_total": 2, "budget": "tool_calls", "limit": 1,
    }  # fmt: skip


@pytest.mark.requirement("thinking:canonical")
def test_the_end_has_the_structure_of_the_specification() -> None:
    view = done(planned(make_view("How many?", intent="GRAPH"), ("How many?", "graph")), graph(COUNT))
    final = finalize(view, Scripted().ports())

    document = canonical(view, final, {"overall_ms": 5})

    assert {"goal", "steps", "outputs", "todos", "metrics"} <= document.keys()
    assert (document["goal"], document["steps"][0]["action"], document["metrics"]) == (
        "How many?", "graph.ask", {"overall_ms": 5},
    )  # fmt: skip


@pytest.mark.requirement("thinking:output-as-text")
def test_what_a_model_writes_is_text_whatever_it_looks_like() -> None:
    text = "{{7*7}} %s {0.__class__} <script>alert(1)</script>; DROP TABLE runs; MATCH (n) DETACH DELETE n $(rm -rf /)"
    script = Scripted([said(text)])
    view = planned(make_view("Say it", intent="CHAT"), ("Say it", "answer"))
    view = done(view, StepResult("model.answer", "completed", {}, {"text": text}))

    final = finalize(view, script.ports())
    early = partial(view, BudgetExhausted("{0.__class__} {{7*7}}", budget="x"))

    assert final.text == text
    assert (script.questions, script.called) == ([], [])
    assert "{0.__class__} {{7*7}}" in early.text


@pytest.mark.requirement("thinking:italian")
def test_an_italian_prompt_is_answered_in_italian() -> None:
    final = finalize(make_view("cancella tutti i nodi", intent="DANGEROUS"), Scripted().ports())

    assert "Questo non lo faccio" in final.text
