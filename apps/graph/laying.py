"""Constraints and indexes of the schema, in the server's own dialect. Safe to repeat.

Every label's ``uid`` is unique, and nodes are found by ``tenant_id``, by the label's key and by its name. They are made
before the first node: ArcadeDB's indexes take any type then, and MERGE makes no duplicates only under a constraint.
"""

from apps.graph import client, epoch
from apps.graph.engines.dialect import Dialect, Laid
from apps.graph.schema import LABELS, TENANT, UID


def lay() -> int:
    """Make what is missing. Returns how many statements were new to the server (it may count known ones, too)."""
    return client.define(statements)


def statements(dialect: Dialect) -> tuple[str, ...]:
    """Every statement, in order."""
    texts: list[str] = []
    for one in wanted():
        made = dialect.unique(one.label, *one.properties) if one.unique else dialect.index(one.label, one.properties)
        texts += made
    return tuple(texts)


def wanted() -> list[Laid]:
    """What the platform needs, in order."""
    found = [Laid(epoch.LABEL, (UID,), unique=True)]
    for label in LABELS:
        found.append(Laid(label.label, (UID,), unique=True))
        keys = dict.fromkeys((TENANT, label.key, label.name))
        found += [Laid(label.label, (key,), unique=False) for key in keys]
        found += [Laid(kind.label, (TENANT,), unique=False) for kind in label.kinds]
    return found
