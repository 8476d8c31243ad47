"""The todos of a run: what rules see, what a model proposes, what code lets through."""

from typing import Any

import pytest

from apps.agents.phases.offers import explained
from apps.agents.phases.plan import plan, plan_run
from apps.agents.types import AgentSpec, Intent
from apps.llm.errors import CompletionError
from tests.unit.agents.scripted import LOOK, NOTE, Scripted, make_view, said

TWO = "How many failed tasks are there, and which users run the most tasks?"
FULL, NONE = AgentSpec("a", 1, planning_mode="full"), AgentSpec("a", 1, planning_mode="none")


def proposal(*todos: dict[str, Any]) -> Scripted:
    return Scripted([said(data={"todos": list(todos)})])


@pytest.mark.requirement("thinking:plan-modes")
def test_one_request_is_planned_without_a_model() -> None:
    script = Scripted()

    todos = plan(make_view("How many tasks failed?", intent="GRAPH"), script.ports())

    assert [(todo.task, todo.kind) for todo in todos] == [("How many tasks failed?", "graph")]
    assert script.asked == []


@pytest.mark.requirement("thinking:plan-modes")
def test_several_requests_are_planned_by_a_model_and_by_rules_where_none_answers() -> None:
    answers = proposal({"task": "count failed tasks", "kind": "graph"}, {"task": "rank users", "kind": "graph"})
    silent = Scripted([CompletionError("Nobody.")])

    proposed = plan_run(make_view(TWO, intent="GRAPH"), answers.ports())
    ruled = plan_run(make_view(TWO, intent="GRAPH"), silent.ports())

    assert [todo.task for todo in proposed.todos] == ["count failed tasks", "rank users"]
    assert [todo.task for todo in ruled.todos] == [
        "How many failed tasks are there", "which users run the most tasks?",
    ]  # fmt: skip
    assert ruled.warnings == ("No model could plan (llm_unavailable); the rules did.",)


@pytest.mark.requirement("thinking:plan-modes")
def test_mode_none_asks_no_model_and_mode_full_always_does() -> None:
    never, always = Scripted(), proposal({"task": "count tasks", "kind": "graph"})

    ruled = plan(make_view(TWO, intent="GRAPH", agent=NONE), never.ports())
    proposed = plan(make_view("How many tasks are there?", intent="GRAPH", agent=FULL), always.ports())

    assert (len(ruled), never.asked) == (2, [])
    assert [todo.task for todo in proposed] == ["count tasks"]
    assert [purpose for purpose, _, _ in always.asked] == ["plan"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Find failed tasks and then summarise them", [("Find failed tasks", "graph"), ("summarise them", "answer")]),
        ("1. Count genes. 2. Explain how you would list proteins",
         [("Count genes", "graph"), ("list proteins", "explain")]),
        ("Quanti geni ci sono e quali utenti eseguono più task?",
         [("Quanti geni ci sono", "graph"), ("quali utenti eseguono più task?", "graph")]),
        ("How many users, tasks and files are there?", [("How many users, tasks and files are there?", "graph")]),
        ("List the users and which tasks do they run?", [("List the users, which tasks do they run?", "graph")]),
        ("My name is Nerea. List the institutions", [("My name is Nerea. List the institutions", "graph")]),
    ],
)  # fmt: skip
@pytest.mark.requirement("thinking:plan-parts")
def test_the_parts_of_a_prompt_become_todos(prompt: str, expected: list[tuple[str, str]]) -> None:
    todos = plan(make_view(prompt, intent="GRAPH", agent=NONE), Scripted().ports())

    assert [(todo.task, todo.kind) for todo in todos] == expected


@pytest.mark.requirement("thinking:plan-parts")
def test_an_explanation_runs_nothing_and_asks_for_what_would_be_read() -> None:
    todos = plan(make_view("What would happen if I deleted all tasks?", intent="EXPLAIN"), Scripted().ports())

    assert [(todo.task, todo.kind) for todo in todos] == [("list all tasks", "explain")]


@pytest.mark.requirement("thinking:plan-checked")
def test_what_a_model_may_not_propose_is_dropped_with_a_sentence() -> None:
    view = make_view(TWO, intent="GRAPH", max_steps=2)
    script = proposal(
        {"task": "delete all tasks", "kind": "graph"},
        {"task": "Create a user", "kind": "answer"},
        {"task": "run it", "kind": "tool", "tool": "shell.exec"},
        {"task": "think", "kind": "reflect"},
        {"task": "count failed tasks", "kind": "graph"},
        {"task": "count failed tasks", "kind": "graph"},
        {"task": "query", "kind": "tool", "tool": "graph.query", "arguments": {"cypher": "RETURN 1"}},
        {"task": "one too many", "kind": "graph"},
    )

    made = plan_run(view, script.ports())

    assert [(todo.task, todo.tool) for todo in made.todos] == [("count failed tasks", None), ("query", "graph.query")]
    assert [warning.split("dropped: ")[1] for warning in made.warnings] == [
        "it would change something that was not asked for.",
        "it would change something that was not asked for.",
        "there is no tool 'shell.exec' here.",
        "this run has no steps of kind 'reflect'.",
        "it is there already.",
        "a run has at most 2 steps.",
    ]


@pytest.mark.requirement("thinking:plan-checked")
def test_a_step_that_wants_a_tool_and_names_none_is_answered_and_not_lost() -> None:
    script = proposal(
        {"task": "count the genes", "kind": "graph"}, {"task": "look for the right tool", "kind": "tool", "tool": None}
    )

    made = plan_run(make_view("Count the genes, then look further", intent="GRAPH"), script.ports())

    assert [(todo.task, todo.kind) for todo in made.todos] == [
        ("count the genes", "graph"),
        ("look for the right tool", "answer"),
    ]
    assert made.warnings == ()


@pytest.mark.requirement("thinking:plan-checked")
def test_a_plan_of_nothing_but_what_is_dropped_is_replaced_by_the_rules() -> None:
    made = plan_run(make_view(TWO, intent="GRAPH"), proposal({"task": "drop the database", "kind": "graph"}).ports())

    assert len(made.todos) == 2
    assert made.warnings[-1] == "Nothing of the model's plan was left; the rules planned."


@pytest.mark.requirement("thinking:plan-checked")
def test_an_agent_is_offered_its_own_tools_only() -> None:
    agent = AgentSpec("a", 1, tools=("system.time",), planning_mode="full")
    script = proposal({"task": "query", "kind": "tool", "tool": "graph.query"}, {"task": "count", "kind": "graph"})

    made = plan_run(make_view("Count the tasks", intent="GRAPH", agent=agent), script.ports())

    assert [todo.kind for todo in made.todos] == ["graph"]
    assert "there is no tool 'graph.query' here" in made.warnings[0]


@pytest.mark.requirement("thinking:refusal-offer")
def test_a_danger_is_planned_by_rules_in_every_mode_and_only_selects_what_was_meant() -> None:
    script = Scripted()
    view = make_view("delete all failed tasks", intent="DANGEROUS", agent=FULL)

    todos = plan(view, script.ports())
    of_another = plan(make_view("drop the database", intent="DANGEROUS", agent=FULL), script.ports())
    without_right = plan(make_view("delete all tasks", role="viewer", intent="DANGEROUS"), script.ports())

    assert [(todo.task, todo.kind) for todo in todos] == [("list all failed tasks", "explain")]
    assert (of_another, without_right, script.asked) == ((), (), [])


@pytest.mark.requirement("thinking:missing-right")
def test_a_wish_without_its_right_has_no_steps() -> None:
    intent = Intent("SECURITY", 0.9, "It asks for a change.", "rules", missing="graph:create")

    todos = plan(make_view("Create a gene node", intent=intent, agent=FULL), Scripted().ports())

    assert todos == ()


@pytest.mark.requirement("thinking:plan-parts")
def test_parts_beyond_the_steps_of_a_run_are_left_out_with_a_warning() -> None:
    made = plan_run(make_view(TWO, intent="GRAPH", agent=NONE, max_steps=1), Scripted().ports())

    assert [todo.task for todo in made.todos] == ["How many failed tasks are there"]
    assert made.warnings == (
        "A run has at most 1 steps; this was left out: which users run the most tasks?",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "question"),
    [
        ("explain how many genes there are", "how many genes there are"),
        ("Explain how you would count the failed tasks, without running it", "count the failed tasks"),
    ],
)
def test_what_is_to_be_explained_stays_a_question(wish: str, question: str) -> None:
    assert explained(wish) == question


@pytest.mark.requirement("tools:taint")
def test_a_change_that_tools_could_make_is_planned_before_anything_is_read() -> None:
    def asked(prompt: str, **fields: Any) -> list[str]:
        script = proposal({"task": "note it", "kind": "tool", "tool": "agent.note", "arguments": {"text": "x"}})
        script.tools, script.writes = (LOOK, NOTE), frozenset({"agent.note"})
        todos = plan(make_view(prompt, **{"intent": "ADMIN", **fields}), script.ports())
        assert not any(todo.tainted for todo in todos)
        return [todo.kind for todo in todos]

    assert asked("Add a note to the session: x") == ["tool"]
    assert asked("Add a note about them to the session") == ["answer"]  # who are they? the session's past knows
    assert asked("Add a note to the session: x", agent=NONE) == ["answer"]
    assert asked("Add a note to the session: x", agent=AgentSpec("a", 1, tools=("graph.query",))) == ["answer"]
