"""data.quality and data.archive: what is wrong with the data, what is repaired, and what is purged."""

import json
from typing import Any

import pytest

from apps.graph import client
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.integration.toolbox.moving import content_of, gene, sow_genes, sow_work, stored
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:data")


@pytest.fixture
def curator(tenant: Any) -> Principal:
    return make_principal(tenant, "curator")


def put(principal: Principal, label: str, number: int, properties: dict[str, Any]) -> str:
    """A node as no writer of ours would make it."""
    uid = uid_for(principal.tenant_id, f"{label} {number}")
    row = {**properties, "uid": uid, "tenant_id": str(principal.tenant_id)}
    client.write(f"CREATE (n:{label}) SET n = $row", {"row": row}, tenant_id=principal.tenant_id)
    return uid


def spoil(principal: Principal) -> dict[str, str]:
    """Faults of every kind; name -> uid."""
    sow_work(principal)
    article = {"id": "p1", "title": "T", "journal": "J", "year": "2024"}
    return {
        "text for number": put(principal, "Publication", 1, article),
        "no number": put(principal, "Publication", 2, {**article, "id": "p2", "year": "soon"}),
        "missing": put(principal, "Gene", 3, {"id": "g3", "symbol": "S", "name": "n"}),
        "unknown": put(principal, "Gene", 4, gene(4, journal="J")),
        "twin": put(principal, "Gene", 5, gene(4)),
        "dangling": put(principal, "Task", 6, {"task_id": "t6", "status": "queued"}),
    }


def found(principal: Principal, **arguments: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    done = result(principal, "data.quality", {"action": "check", **arguments})
    return {(one["check"], one["label"], one["property"]): one for one in done["findings"]}


def test_every_kind_of_fault_is_found_and_told_with_an_example(curator: Principal) -> None:
    uids = spoil(curator)

    seen = found(curator)

    assert {key: (one["count"], one["fixable"]) for key, one in seen.items()} == {
        ("types", "Publication", "year"): (2, 1),
        ("missing", "Gene", "chromosome"): (1, 0),
        ("unknown", "Gene", "journal"): (1, 1),
        ("duplicates", "Gene", "id"): (1, 0),
        ("dangling", "Task", ""): (1, 0),
    }
    assert seen[("dangling", "Task", "")]["examples"] == [{"uid": uids["dangling"]}]
    assert {one["uid"] for one in seen[("types", "Publication", "year")]["examples"]} == {
        uids["text for number"], uids["no number"],
    }  # fmt: skip
    (twins,) = seen[("duplicates", "Gene", "id")]["examples"]
    assert (twins["value"], twins["times"], sorted(twins["uids"])) == ("g4", 2, sorted([uids["unknown"], uids["twin"]]))


def test_one_label_and_some_checks_can_be_asked_for(curator: Principal) -> None:
    spoil(curator)

    seen = found(curator, label="Gene", checks=["unknown"])
    report = result(curator, "data.quality", {"action": "report"})

    assert set(seen) == {("unknown", "Gene", "journal")}
    assert report["faults"] == 6
    assert all(one["examples"] == [] for one in report["findings"])


def test_a_clean_graph_has_no_faults_and_another_tenants_are_not_looked_at(curator: Principal) -> None:
    spoil(make_principal(make_tenant(), "curator"))
    sow_work(curator)

    assert result(curator, "data.quality", {"action": "check"})["faults"] == 0


def test_repairs_lose_nothing_and_are_made_only_when_asked_for(curator: Principal) -> None:
    spoil(curator)
    before = stored(curator, "Publication") + stored(curator, "Gene")

    counted = result(curator, "data.quality", {"action": "fix"})
    unchanged = stored(curator, "Publication") + stored(curator, "Gene")
    repaired = result(curator, "data.quality", {"action": "fix", "auto_fix": True})
    again = result(curator, "data.quality", {"action": "fix", "auto_fix": True})

    assert (counted["repaired"], unchanged) == (2, before)
    assert (repaired["repaired"], again["repaired"]) == (2, 0)
    assert {one["id"]: one["year"] for one in stored(curator, "Publication")} == {"p1": 2024, "p2": "soon"}
    assert not any("journal" in one for one in stored(curator, "Gene"))
    assert len(stored(curator, "Gene")) == 3


def test_who_may_only_read_checks_and_repairs_nothing(principal: Principal, tenant: Any) -> None:
    spoil(principal)

    assert result(principal, "data.quality", {"action": "check"})["faults"] == 6
    outcome = call(principal, "data.quality", {"action": "fix", "auto_fix": True})
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), "data.quality", {"action": "check"})

    assert (outcome.ok, outcome.http_status) == (False, 403)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"action": "check", "auto_fix": True}, {"action": "check", "checks": ["spelling"]}, {"action": "mend"}],
    ids=["nothing", "auto-fix", "check", "action"],
)
def test_bad_questions_are_refused(curator: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(curator, "data.quality", arguments)


def test_nodes_are_set_aside_taken_back_and_purged_with_a_file_of_what_went(curator: Principal) -> None:
    sow_work(curator)
    sow_genes(curator, 3)
    genes = [uid_for(curator.tenant_id, f"gene {number}") for number in range(3)]

    marked = result(
        curator, "data.archive", {"action": "mark", "label": "Task", "timestamp_before": "2021-01-01T00:00:00Z"}
    )
    result(curator, "data.archive", {"action": "mark", "node_ids": genes})
    back = result(curator, "data.archive", {"action": "restore", "node_ids": genes[:1]})
    status = result(curator, "data.archive", {"action": "status"})
    listed = result(curator, "data.archive", {"action": "list", "label": "Task"})
    there = len(stored(curator, "Gene"))
    purged = result(curator, "data.archive", {"action": "purge", "timestamp_before": "2999-01-01T00:00:00Z"})

    assert (marked["nodes"], back["nodes"], status["by_label"]) == (1, 1, {"Gene": 2, "Task": 1})
    assert [(one["label"], one["marked_by"]) for one in listed["listed"]] == [("Task", curator.sub)]
    assert (there, purged["nodes"], purged["relationships"], purged["by_label"]) == (3, 3, 1, {})
    assert [one["id"] for one in stored(curator, "Gene")] == ["g0"]
    assert [one["task_id"] for one in stored(curator, "Task")] == ["t1"]
    lines = [json.loads(line) for line in content_of(curator, purged["file"]["file_id"]).splitlines()]
    assert sorted(line["type"] for line in lines) == ["node"] * 3 + ["relationship"]

    restored = result(curator, "etl.import", {"file_id": purged["file"]["file_id"], "format": "jsonl"})
    assert (restored["nodes_created"], restored["relationships_created"]) == (3, 1)


def test_only_what_was_set_aside_is_purged_and_nothing_of_others(curator: Principal) -> None:
    other = make_principal(make_tenant(), "curator")
    for one in (curator, other):
        sow_genes(one, 1)
    theirs = uid_for(other.tenant_id, "gene 0")

    marked = result(curator, "data.archive", {"action": "mark", "node_ids": [theirs]})
    purged = result(curator, "data.archive", {"action": "purge", "label": "Gene"})

    assert (marked["nodes"], purged["nodes"], purged["file"]) == (0, 0, None)
    assert len(stored(other, "Gene")) == len(stored(curator, "Gene")) == 1


@pytest.mark.parametrize(
    "arguments",
    [{"action": "purge"}, {"action": "mark"}, {"action": "mark", "label": "Task"}, {"action": "burn"},
     {"action": "mark", "label": "Task", "timestamp_before": "yesterday"},
     {"action": "mark", "label": "Task", "timestamp_before": "2021-01-01T00:00:00"}],
    ids=["purge-all", "mark-all", "mark-label", "action", "time", "zone"],
)  # fmt: skip
def test_nothing_is_set_aside_or_purged_without_being_named(curator: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(curator, "data.archive", arguments)


def test_a_label_without_a_time_says_so_and_a_user_may_only_look(curator: Principal, principal: Principal) -> None:
    asked = {"action": "mark", "label": "Gene", "timestamp_before": "2021-01-01T00:00:00Z"}

    refused = call(curator, "data.archive", asked)
    forbidden = call(principal, "data.archive", {"action": "purge", "label": "Gene"})

    assert refused.error is not None
    assert "no time to go by" in refused.error["message"]
    assert forbidden.http_status == 403
    assert result(principal, "data.archive", {"action": "status"})["nodes"] == 0
