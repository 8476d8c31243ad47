"""graph.bulk: the predecessor's way to load tables and to export one label."""

from typing import Any
from uuid import uuid4

import pytest

from apps.identity.principal import Principal
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.integration.toolbox.moving import GENES, content_of, sent, sow_work, stored
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:bulk")


@pytest.fixture
def curator(tenant: Any) -> Principal:
    return make_principal(tenant, "curator")


def test_nodes_and_relationships_are_loaded_and_one_label_is_exported(curator: Principal) -> None:
    sow_work(curator)
    runs = '{"start": "0", "end": "t1"}\n'

    nodes = result(curator, "graph.bulk", {"action": "load_nodes", "file": sent(curator, GENES), "label": "Gene"})
    edges = result(
        curator,
        "graph.bulk",
        {"action": "load_relationships", "file": sent(curator, runs), "format": "jsonl", "rel_type": "RUNS"},
    )
    made = result(curator, "graph.bulk", {"action": "export", "label": "Gene", "format": "csv"})

    assert (nodes["loaded"]["nodes_created"], edges["loaded"]["relationships_created"]) == (2, 1)
    assert len(stored(curator, "Gene")) == 2
    assert made["file"]["rows"] == 2
    assert len(content_of(curator, made["file"]["file_id"]).splitlines()) == 3


@pytest.mark.parametrize(
    "arguments",
    [{"action": "load_nodes", "label": "Gene"}, {"action": "load_nodes", "file": str(uuid4()), "rel_type": "RUNS"},
     {"action": "load_relationships", "file": str(uuid4()), "label": "Gene"}, {"action": "export"},
     {"action": "drop"}, {"action": "export", "label": "Gene", "format": "cypher"}],
    ids=["no-file", "type-for-nodes", "label-for-relationships", "nothing", "action", "format"],
)  # fmt: skip
def test_bad_input_is_refused(curator: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(curator, "graph.bulk", arguments)


def test_a_user_may_not_and_others_files_are_not_there(principal: Principal, curator: Principal) -> None:
    theirs = sent(make_principal(make_tenant(), "curator"), GENES)

    with pytest.raises(ForbiddenError):
        call(principal, "graph.bulk", {"action": "export", "label": "Gene"})
    outcome = call(curator, "graph.bulk", {"action": "load_nodes", "file": theirs, "label": "Gene"})

    assert outcome.error is not None
    assert outcome.error["code"] == "file_not_found"
