"""Edits of one tenant's graph at the same time, and imports beside them: one key stays one node's."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from apps.graph import client
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from kernel.connections import give_back
from tests.factories import make_principal
from tests.integration.toolbox.moving import gene, sent, sow_genes, sow_work, stored
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:crud")
THREADS, ROUNDS = 8, 2


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each gave, begun at one moment in threads of their own."""
    start = Barrier(len(works))

    def started(work: Callable[[], Any]) -> Any:
        try:
            start.wait(60)
            return work()
        finally:
            give_back()

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(started, works))


def makes(principal: Principal, number: int) -> Callable[[], str]:
    """Creates the gene; the code of what came of it."""

    def work() -> str:
        outcome = call(principal, "crud.create_node", {"label": "Gene", "properties": gene(number)})
        return "created" if outcome.ok else str((outcome.error or {})["code"])

    return work


@pytest.fixture
def curators(tenant: Tenant) -> list[Principal]:
    return [make_principal(tenant, "curator") for _ in range(THREADS)]


def test_of_creations_with_one_key_one_succeeds(curators: list[Principal]) -> None:
    for number in range(ROUNDS):
        came = at_once(*(makes(one, number) for one in curators))

        assert sorted(came) == ["created"] + ["key_taken"] * (THREADS - 1)
        assert [one["id"] for one in stored(curators[0], "Gene")].count(f"g{number}") == 1


def test_of_updates_to_one_key_one_succeeds(curators: list[Principal]) -> None:
    sow_genes(curators[0], THREADS)

    came = at_once(*(
        lambda one=one, number=number: call(
            one, "crud.update_node",
            {"label": "Gene", "match": {"id": f"g{number}"}, "properties": {"id": "wanted"}},
        ).ok
        for number, one in enumerate(curators)
    ))  # fmt: skip

    assert came.count(True) == 1
    assert [one["id"] for one in stored(curators[0], "Gene")].count("wanted") == 1


def test_an_import_and_creations_make_one_node_of_a_key(curators: list[Principal]) -> None:
    importer, *others = curators
    table = "id,symbol,name,chromosome\n" + "".join(f"g{n},S{n},imported,1\n" for n in range(THREADS))
    file_id = sent(importer, table)

    def imports() -> bool:
        return call(importer, "graph.bulk", {"action": "load_nodes", "file": file_id, "label": "Gene"}).ok

    came = at_once(imports, *(makes(one, number) for number, one in enumerate(others)))

    assert came[0] is True
    assert sorted(one["id"] for one in stored(importer, "Gene")) == [f"g{n}" for n in range(THREADS)]


def test_a_relationship_that_all_make_is_made_once(curators: list[Principal]) -> None:
    sow_work(curators[0])
    wanted = {"type": "RUNS", "start": {"label": "User", "match": {"user_id": "0"}},
              "end": {"label": "Task", "match": {"task_id": "t1"}}}  # fmt: skip
    importer, *others = curators
    file_id = sent(importer, '{"start": "0", "end": "t1"}\n')

    def imports() -> bool:
        arguments = {"action": "load_relationships", "file": file_id, "format": "jsonl", "rel_type": "RUNS"}
        return bool(result(importer, "graph.bulk", arguments)["loaded"]["relationships_created"])

    came = at_once(
        imports, *(lambda one=one: result(one, "crud.create_relationship", wanted)["created"] for one in others)
    )

    assert came.count(True) == 1
    text = (
        "MATCH (a:User {user_id: '0'})-[r:RUNS]->(b:Task {task_id: 't1'}) WHERE r.tenant_id = $tenant RETURN count(r)"
    )
    tenant_id = importer.tenant_id
    assert client.read(text, {"tenant": str(tenant_id)}, tenant_id=tenant_id).rows == [[1]]
