"""The tape of a run in PostgreSQL: kept before use, read back, first wins, intents, sizes, tenants."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections

from apps.agents.models import TapeEntry
from apps.agents.thinking.tape import ANSWER_BYTES, DatabaseTape, Said, Taken
from apps.agents.types import RunView
from apps.identity.principal import Principal
from kernel.tenant_context import tenant_scope
from tests.clients import PATIENCE_S
from tests.factories import make_principal, make_tenant
from tests.integration.runs.driving import make_view, tape_of

REQUEST = {"tool": "system.time", "arguments": {"b": 1, "a": [1.5, None]}}


@pytest.fixture
def view(principal: Principal) -> RunView:
    return make_view(principal, "How late is it?")


@dataclass
class Outside:
    """Counts how often it is asked, and with which keys."""

    answers: list[Said] = field(default_factory=lambda: [Said("first"), Said("second"), Said("third")])
    keys: list[str] = field(default_factory=list)

    def ask(self, key: str) -> Said:
        self.keys.append(key)
        return self.answers[len(self.keys) - 1]


def tape(view: RunView, place: str = "step 0", attempt: int = 1) -> DatabaseTape:
    return DatabaseTape(view.run_id, view.tenant_id, place, attempt)


@pytest.mark.requirement("tape:kept-first")
def test_an_answer_is_stored_when_it_is_given_out(view: RunView) -> None:
    taken = tape(view).answer("tool", REQUEST, lambda key: Said({"late": True}, None, 12, 345))

    (row,) = tape_of(view)
    assert taken == Taken({"late": True}, None, from_tape=False)
    assert (row.kind, row.place, row.attempt, row.request, row.answer) == (
        "tool", "step 0", 1, REQUEST, {"value": {"late": True}},
    )  # fmt: skip
    assert (row.tokens, row.cost_nano_usd, row.idempotency_key) == (12, 345, f"{view.run_id}:0:1:0")
    assert row.answered_at is not None


def test_an_answer_waits_for_postgresql_and_is_not_asked_for_again(view: RunView, admin_url: str) -> None:
    outside = Outside()

    def ask(key: str) -> Said:
        connection.ensure_connection()
        pid = connection.connection.info.backend_pid
        with psycopg.connect(admin_url) as superuser:
            superuser.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return outside.ask(key)

    taken = tape(view).answer("model", REQUEST, ask)

    (row,) = tape_of(view)
    assert (taken.value, row.answer, len(outside.keys)) == ("first", {"value": "first"}, 1)


@pytest.mark.requirement("tape:kept-first")
def test_an_answer_that_cannot_be_stored_is_not_given_out(view: RunView) -> None:
    lost = DatabaseTape(UUID(int=1), view.tenant_id, "step 0", 1)

    with pytest.raises(Exception, match="run_tape_run"):
        lost.answer("tool", REQUEST, lambda key: Said("unheard"))

    connection.close()
    assert tape_of(view) == []


@pytest.mark.requirement("tape:read-back")
def test_the_same_requests_done_again_are_answered_in_their_order_and_not_asked(view: RunView) -> None:
    outside, again = Outside(), Outside()
    first = tape(view)
    given = [first.answer("tool", REQUEST, outside.ask).value for _ in range(2)]
    differently_spelt = {"arguments": {"a": [1.5, None], "b": 1}, "tool": "system.time"}

    later = tape(view, attempt=2)
    repeated = [later.answer("tool", differently_spelt, again.ask) for _ in range(2)]
    new = later.answer("tool", differently_spelt, again.ask)

    assert given == ["first", "second"]
    assert [(taken.value, taken.from_tape) for taken in repeated] == [("first", True), ("second", True)]
    assert (new.value, new.from_tape, len(again.keys)) == ("first", False, 1)


@pytest.mark.requirement("tape:read-back")
def test_requests_of_other_places_and_kinds_are_others(view: RunView) -> None:
    outside = Outside()

    given = [
        tape(view, place).answer(kind, REQUEST, outside.ask).value
        for place, kind in (("step 0", "tool"), ("step 1", "tool"), ("step 0", "graph"))
    ]

    assert given == ["first", "second", "third"]


@pytest.mark.requirement("tape:first-wins")
def test_two_workers_that_both_hold_the_step_get_the_first_answer(view: RunView) -> None:
    frozen, other = tape(view), tape(view)
    barrier = threading.Barrier(2, timeout=PATIENCE_S)
    given: dict[str, Any] = {}

    def work(name: str, own: DatabaseTape) -> None:
        def ask(key: str) -> Said:
            barrier.wait()  # both have looked, and found nothing
            return Said(name)

        try:
            given[name] = own.answer("model", REQUEST, ask).value
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", frozen), ("b", other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)

    (row,) = tape_of(view)
    assert given["a"] == given["b"] == row.answer["value"]


@pytest.mark.requirement("tape:first-wins")
def test_a_late_answer_of_a_worker_that_lost_the_step_changes_nothing(view: RunView) -> None:
    late = tape(view)

    def ask(key: str) -> Said:
        tape(view, attempt=2).answer("tool", REQUEST, lambda _: Said("of the new worker"))
        return Said("of the old worker")

    taken = late.answer("tool", REQUEST, ask)

    (row,) = tape_of(view)
    assert taken.value == row.answer["value"] == "of the new worker"
    assert row.attempt == 2


class WorkerDied(BaseException):
    """Nothing of ours catches it."""


def dies(key: str) -> Said:
    raise WorkerDied


@pytest.mark.requirement("tape:intent")
def test_a_change_is_written_down_before_it_is_made_and_repeated_with_the_same_key(view: RunView) -> None:
    outside = Outside()
    with pytest.raises(WorkerDied):
        tape(view).answer("tool", REQUEST, dies, intent=True)
    (before,) = tape_of(view)

    taken = tape(view, attempt=2).answer("tool", REQUEST, outside.ask, intent=True)

    (after,) = tape_of(view)
    assert (before.answer, before.answered_at) == (None, None)
    assert (taken.value, taken.from_tape) == ("first", False)
    assert outside.keys == [before.idempotency_key] == [f"{view.run_id}:0:1:0"]
    assert (after.answer, after.id) == ({"value": "first"}, before.id)


@pytest.mark.requirement("tape:intent")
def test_what_only_reads_leaves_nothing_when_its_worker_dies(view: RunView) -> None:
    with pytest.raises(WorkerDied):
        tape(view).answer("graph", REQUEST, dies)

    assert tape_of(view) == []


@pytest.mark.requirement("tape:later-attempt")
def test_a_failure_stands_for_its_attempt_and_is_asked_again_by_a_later_one(view: RunView) -> None:
    outside = Outside([Said(error={"code": "llm_timeout", "message": "Too late."}), Said("now")])
    tape(view).answer("model", REQUEST, outside.ask)

    same = tape(view).answer("model", REQUEST, outside.ask)
    later = tape(view, attempt=2).answer("model", REQUEST, outside.ask)
    later_still = tape(view, attempt=3).answer("model", REQUEST, outside.ask)

    assert (same.error, same.from_tape) == ({"code": "llm_timeout", "message": "Too late."}, True)
    assert (later.value, later.from_tape, later_still.value, len(outside.keys)) == ("now", False, "now", 2)
    assert [row.attempt for row in tape_of(view)] == [2]


@pytest.mark.requirement("tape:bounded")
def test_an_answer_too_large_to_keep_is_an_error_that_says_so(view: RunView) -> None:
    large: Callable[[str], Said] = lambda key: Said("x" * 10_000_000, None, 9)  # noqa: E731

    taken = tape(view).answer("tool", REQUEST, large)
    fits = tape(view).answer("graph", REQUEST, lambda key: Said("x" * (ANSWER_BYTES - 12)))

    rows = tape_of(view)
    assert taken.error is not None and taken.error["code"] == "answer_too_large"
    assert taken.error["message"] == (
        "The answer has 10,000,012 bytes; a run keeps at most 262,144. Ask for less at once."
    )
    assert len(fits.value) == ANSWER_BYTES - 12
    assert (rows[0].tokens, rows[0].answer) == (9, {"error": taken.error})


@pytest.mark.requirement("tape:bounded")
def test_a_huge_request_is_kept_in_part_and_known_by_all_of_it(view: RunView) -> None:
    outside = Outside()
    requests = [{"messages": "y" * 1_000_000 + end} for end in "ab"]

    given = [tape(view).answer("model", request, outside.ask).value for request in requests]

    assert given == ["first", "second"]
    assert [(row.request["truncated"], row.request["bytes"]) for row in tape_of(view)] == [(True, 1_000_016)] * 2


@pytest.mark.requirement("tape:bounded")
def test_characters_that_postgresql_refuses_are_kept_as_others(view: RunView) -> None:
    taken = tape(view).answer("tool", {"nul": "\x00"}, lambda key: Said("a\x00b"))

    assert taken.value == "a\ufffdb"


@pytest.mark.requirement("tape:own-tenant")
def test_nobody_reads_or_writes_the_tape_of_another_tenant(view: RunView) -> None:
    stranger = make_principal(make_tenant())
    tape(view).answer("tool", REQUEST, lambda key: Said("secret"))

    with tenant_scope(stranger.tenant_id):
        seen = TapeEntry.objects.filter(run_id=view.run_id).count()
    with pytest.raises(Exception, match=r"row-level security|run_tape_run"):
        DatabaseTape(view.run_id, stranger.tenant_id, "step 0", 1).answer("tool", REQUEST, lambda key: Said("mine"))
    connection.close()

    assert seen == 0
    assert [row.answer for row in tape_of(view)] == [{"value": "secret"}]


@pytest.mark.requirement("tape:intent")
def test_what_failed_is_asked_again_by_the_next_attempt_under_a_key_of_its_own(view: RunView) -> None:
    outside = Outside([Said(None, {"code": "tool_timeout", "message": "Late."}), Said("done")])

    failed = tape(view).answer("tool", REQUEST, outside.ask, intent=True)
    again = tape(view).answer("tool", REQUEST, outside.ask, intent=True)
    with pytest.raises(WorkerDied):
        tape(view, attempt=2).answer("tool", REQUEST, dies, intent=True)
    (intent,) = tape_of(view)
    done = tape(view, attempt=2).answer("tool", REQUEST, outside.ask, intent=True)

    (row,) = tape_of(view)
    assert (failed.error, again.from_tape, done.value) == (again.error, True, "done")
    assert outside.keys == [f"{view.run_id}:0:1:0", f"{view.run_id}:0:2:0"]
    assert (intent.answer, intent.answered_at, intent.attempt) == (None, None, 2)
    assert row.idempotency_key == intent.idempotency_key == outside.keys[1]
