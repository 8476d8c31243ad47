"""A tenant that leaves: its graph as lines of its export, then none of it."""

from collections.abc import Callable, Iterator
from uuid import UUID

from apps.graph import client, epoch, selectors
from apps.graph.schema import LABELS
from apps.graph.transfer.choice import FORMATS
from apps.graph.transfer.reading import pages
from apps.graph.transfer.sections import SECTIONS

BATCH = 500
CALL_S = 60.0


def lines(tenant_id: UUID) -> Iterator[str]:
    """Every node and relationship of the tenant, a JSON object each (transfer/jsonl.py), a page in memory at a time."""
    for section in SECTIONS:
        for records, _ in pages(tenant_id, section, ""):
            for record in records:
                yield FORMATS["jsonl"].line(section, record).rstrip("\n")


def erase(tenant_id: UUID, checkpoint: Callable[[], None]) -> int:
    """Delete every node of the tenant with its relationships, a batch a transaction. Returns how many nodes went.

    Safe to repeat. The last look is at nodes of any label: it goes through the whole graph once.
    """
    erased = 0
    for pattern in (*(f"(n:{label.label})" for label in LABELS), "(n)"):
        text = f"MATCH {pattern} WHERE n.tenant_id = $tenant WITH n LIMIT {BATCH} DETACH DELETE n"
        while True:
            checkpoint()
            gone = client.write(
                text, {"tenant": str(tenant_id)}, tenant_id=tenant_id, timeout_s=CALL_S, though_read_only=True
            ).counters
            erased += gone.nodes_deleted
            if gone.nodes_deleted < BATCH:
                break
    selectors.forget(tenant_id)
    if erased:
        epoch.advance(at_once=True)
    return erased
