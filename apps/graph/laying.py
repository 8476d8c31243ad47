"""Constraints and indexes of the schema, in the server's own dialect. Safe to repeat.

Every label's ``uid`` is unique, and nodes are found by ``tenant_id``, by the label's key and by its name. They are made
before the first node: ArcadeDB's indexes take any type then, and MERGE makes no duplicates only under a constraint.
"""

from apps.graph import client, epoch
from apps.graph.engines.dialect import Dialect
from apps.graph.schema import LABELS, TENANT, UID


def lay() -> int:
    """Make what is missing. Returns how many statements were new to the server (it may count known ones, too)."""
    return client.define(statements)


def statements(dialect: Dialect) -> tuple[str, ...]:
    """Every statement, in order."""
    texts = list(dialect.unique(epoch.LABEL, UID))
    for label in LABELS:
        texts += dialect.unique(label.label, UID)
        for key in dict.fromkeys((TENANT, label.key, label.name)):
            texts += dialect.index(label.label, [key])
        for kind in label.kinds:
            texts += dialect.index(kind.label, [TENANT])
    return tuple(texts)
