"""The door while the server is frozen, away, crowded, emptied or old."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from apps.graph import client, epoch, errors
from apps.graph.door import calls
from apps.graph.door.standing import Standing
from tests.chaos.proxy import AnswerEater
from tests.clients import PATIENCE_S, wait_for

MINUTES = "UNWIND range(1,3000) AS a UNWIND range(1,3000) AS b UNWIND range(1,50) AS c WITH a*b*c AS x RETURN count(x)"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent server is tried again sooner, so that tests take less time."""
    monkeypatch.setattr(calls, "standing", Standing(at_once=8, slot_wait_s=0.1, away_s=0.5))


def answers() -> bool:
    """Whether the graph is asked and answers."""
    try:
        return client.read("RETURN 1", {}, tenant_id="nobody").rows == [[1]]
    except errors.GraphUnavailableError:
        return False


@pytest.fixture
def graph_pid(servers: Any) -> Iterator[int]:
    """The server's process, which runs again afterwards."""
    assert answers()
    pid = servers.processes["graph"].pid
    yield pid
    os.kill(pid, signal.SIGCONT)
    wait_for(answers, what="the graph's answer after it was frozen")


@pytest.mark.requirement("graph:away")
def test_a_frozen_graph_costs_one_caller_a_wait_and_the_others_none(
    graph_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patience:
        patience.setattr(calls, "standing", Standing(at_once=8, slot_wait_s=0.1, away_s=PATIENCE_S))
        os.kill(graph_pid, signal.SIGSTOP)

        began = time.monotonic()
        with pytest.raises(errors.GraphUnavailableError):
            client.read("RETURN 1", {}, tenant_id="nobody", timeout_s=0.5)
        with pytest.raises(errors.GraphUnavailableError) as raised:
            client.read("RETURN 1", {}, tenant_id="nobody", timeout_s=PATIENCE_S)
        both_s = time.monotonic() - began

    assert both_s < PATIENCE_S / 3
    assert raised.value.http_status == 503 and raised.value.retry_after_s


@pytest.mark.requirement("graph:recovers")
def test_a_graph_that_is_back_is_found_by_itself(graph_pid: int) -> None:
    os.kill(graph_pid, signal.SIGSTOP)
    with pytest.raises(errors.GraphUnavailableError):
        client.read("RETURN 1", {}, tenant_id="nobody", timeout_s=0.3)

    os.kill(graph_pid, signal.SIGCONT)

    wait_for(answers, what="the graph's answer")


def test_nobody_at_the_address_is_said_at_once(settings: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.GRAPH_URL = f"bolt://127.0.0.1:{unused.getsockname()[1]}"
    forget_links()

    with pytest.raises(errors.GraphUnavailableError) as raised:
        client.ping()

    settings.GRAPH_URL = os.environ["GRAPH_URL"]
    assert "127.0.0.1" not in raised.value.detail
    wait_for(answers, what="the graph's answer")


def test_a_server_that_accepts_and_says_nothing_is_away(settings: Any) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        settings.GRAPH_URL = f"bolt://127.0.0.1:{mute.getsockname()[1]}"
        settings.GRAPH_CONNECT_S = 0.5
        forget_links()
        began = time.monotonic()

        with pytest.raises(errors.GraphUnavailableError):
            client.ping()

        assert time.monotonic() - began < PATIENCE_S / 3  # it would say nothing for ever
    settings.GRAPH_URL = os.environ["GRAPH_URL"]
    wait_for(answers, what="the graph's answer")


def test_readers_who_could_write_are_not_let_in(settings: Any) -> None:
    settings.GRAPH_READER_AUTH = settings.GRAPH_AUTH
    forget_links()

    with pytest.raises(errors.GraphUnavailableError):
        client.ping()

    settings.GRAPH_READER_AUTH = (os.environ["AGENTIC_GRAPH_READER_USER"], os.environ["AGENTIC_GRAPH_READER_PASSWORD"])
    wait_for(answers, what="the graph's answer")


class HangsUpOnce(AnswerEater):
    """Once ``armed``, swallows one answer of the server's and hangs up."""

    armed = False

    @property
    def share(self) -> float:
        return float(self.armed and not self.eaten)

    @share.setter
    def share(self, share: float) -> None:
        """Only ``armed`` decides."""


@pytest.fixture
def proxy(settings: Any) -> Iterator[HangsUpOnce]:
    """The way to the server leads through it."""
    made = HangsUpOnce(int(os.environ["GRAPH_URL"].rpartition(":")[2]), victim=b"", share=1.0)
    settings.GRAPH_URL = f"bolt://127.0.0.1:{made.port}"
    forget_links()
    assert client.read("RETURN 1", {}, tenant_id="nobody").rows == [[1]]
    yield made
    settings.GRAPH_URL = os.environ["GRAPH_URL"]
    forget_links()
    wait_for(answers, what="the graph's answer")
    made.stop()


@pytest.mark.requirement("graph:hung-up")
def test_a_read_that_was_hung_up_on_is_asked_again(proxy: HangsUpOnce) -> None:
    proxy.armed = True

    rows = client.read("RETURN 7", {}, tenant_id="nobody")

    assert rows.rows == [[7]]
    assert proxy.eaten == 1


def test_a_change_that_was_hung_up_on_is_not_made_twice(proxy: HangsUpOnce, tenant: Any) -> None:
    uid, t = uuid4().hex, {"t": str(tenant.id)}
    client.write("CREATE (n:Tool {uid: $u, tenant_id: $t})", {"u": uid, **t}, tenant_id=tenant.id)
    proxy.armed = True

    with pytest.raises(errors.GraphUnavailableError) as raised:
        client.write("MATCH (n:Tool {uid: $u}) SET n.name = 'x'", {"u": uid}, tenant_id=tenant.id)

    assert raised.value.code == "graph_outcome_unknown"
    assert proxy.eaten == 1


@pytest.mark.requirement("graph:bulkhead")
def test_more_queries_than_slots_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    standing = Standing(at_once=2, slot_wait_s=0.1, away_s=1)
    monkeypatch.setattr(calls, "standing", standing)
    over = threading.Event()
    outcomes: list[str] = []

    def ask() -> None:
        try:
            client.read(MINUTES, {}, tenant_id="nobody", timeout_s=PATIENCE_S, cancelled=over.is_set)
        except errors.PlatformError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: standing._slots._value == 0, what="both slots being taken")
    for _ in range(3):
        ask()
    over.set()
    for thread in threads:
        thread.join()

    assert outcomes == ["graph_busy"] * 3 + ["graph_query_cancelled"] * 2


@pytest.fixture
def known_graph() -> Iterator[epoch.Mark]:
    """The graph's mark, which is right again afterwards."""
    assert epoch.begin() == ""
    mark = epoch._found()
    assert mark is not None
    yield mark
    epoch.begin(accept=True)


@pytest.mark.requirement("graph:stale")
def test_an_emptied_graph_gives_no_empty_answers(known_graph: epoch.Mark) -> None:
    set_mark("MATCH (e:GraphEpoch) DELETE e", known_graph)

    verdict = epoch.look()

    assert verdict == "emptied"
    with pytest.raises(errors.GraphStaleError):
        client.read("MATCH (n:Gene) RETURN count(n)", {}, tenant_id="nobody")
    with pytest.raises(errors.GraphStaleError):
        client.write("CREATE (n:Gene) RETURN 1", {}, tenant_id=uuid4())


def test_an_exchanged_graph_gives_no_answers(known_graph: epoch.Mark) -> None:
    set_mark("MATCH (e:GraphEpoch) SET e.epoch = $epoch", epoch.Mark(uuid4().hex, 0))

    verdict = epoch.look()

    assert verdict == "other"
    with pytest.raises(errors.GraphStaleError):
        client.read("RETURN 1", {}, tenant_id="nobody")


def test_an_older_copy_says_so_with_its_answers(known_graph: epoch.Mark) -> None:
    set_mark("MATCH (e:GraphEpoch) SET e.beat = $beat", epoch.Mark(known_graph.epoch, known_graph.beat - 60_000))
    epoch.look()

    rows = client.read("RETURN 1", {}, tenant_id="nobody")

    assert rows.rows == [[1]]
    assert "older" in rows.stale


def test_changes_move_the_mark_on(known_graph: epoch.Mark, tenant: Any) -> None:
    epoch._known.advanced_at_s = float("-inf")

    client.write(
        "CREATE (n:Gene {uid: $u, tenant_id: $t})", {"u": uuid4().hex, "t": str(tenant.id)}, tenant_id=tenant.id
    )

    moved = epoch._found()
    assert moved is not None and moved.epoch == known_graph.epoch
    assert moved.beat > known_graph.beat
    assert epoch.look() == ""


def test_an_operator_may_accept_a_graph_as_it_is(known_graph: epoch.Mark) -> None:
    set_mark("MATCH (e:GraphEpoch) DELETE e", known_graph)
    refused = epoch.begin()

    accepted = epoch.begin(accept=True)

    assert (refused, accepted) == ("emptied", "")
    assert client.read("RETURN 1", {}, tenant_id="nobody").stale == ""


def set_mark(text: str, mark: epoch.Mark) -> None:
    """What happens to a graph behind the platform's back."""
    epoch._change(text, mark)


def forget_links() -> None:
    """As after an outage: the next call connects anew."""

    async def forget() -> None:
        calls.links.forget()

    calls.loop.submit(forget()).result(timeout=PATIENCE_S)
