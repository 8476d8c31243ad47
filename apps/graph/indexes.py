"""Indexes and constraints that administrators of the platform add to those of laying.py. All tenants share them.

Names come from the schema alone. What makes a property unique makes it so within each tenant: another tenant may have
the same value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.graph import client, laying
from apps.graph.engines.dialect import Laid
from apps.graph.schema import LABEL_NAMES, TENANT, UID, label_named
from kernel.errors import ConflictError, ValidationError

PROPERTIES_MAX = 3
LONG_S = 300.0  # over the nodes that are there already


@dataclass(frozen=True, slots=True)
class Listed:
    """An index or a constraint. ``is_own``: the platform laid it for itself."""

    label: str
    properties: tuple[str, ...]
    unique: bool
    is_own: bool


def listed(label: str = "") -> list[Listed]:
    """Everything that is laid on labels of the schema, or on one of them, in order."""
    own = {(one.label, one.properties) for one in laying.wanted()}
    return [
        Listed(*key, is_own=key[:2] in own)
        for key in sorted({(one.label, one.properties, one.unique) for one in client.laid()})
        if key[0] in LABEL_NAMES and label in ("", key[0])
    ]


def create(label: str, properties: Sequence[str]) -> bool:
    """An index by which nodes of ``label`` are found by these properties, in this order. False: there is one."""
    keys = _checked(label, properties)
    if _laid(label, keys):
        return False
    client.define(lambda dialect: dialect.index(label, keys), timeout_s=LONG_S)
    return True


def drop(label: str, properties: Sequence[str]) -> bool:
    """Take an index away; False when there is none. ConflictError for what the platform laid for itself, and for what a
    constraint stands on."""
    keys = _checked(label, properties)
    _refuse_own(label, keys)
    found = _laid(label, keys)
    if any(one.unique for one in found):
        raise ConflictError(
            "This index belongs to a constraint: drop that with admin.constraint.", code="graph_index_of_constraint"
        )
    for one in found:
        client.define(lambda dialect, one=one: dialect.drop(one))  # type: ignore[misc]
    return bool(found)


def require_unique(label: str, property_: str) -> bool:
    """No two nodes of one tenant with this label have the same value from now on. False: so it was.

    GraphConflictError when some have now.
    """
    keys = (TENANT, *_checked(label, [property_]))
    if any(one.unique for one in _laid(label, keys)):
        return False
    client.define(lambda dialect: dialect.unique(label, *keys), timeout_s=LONG_S)
    return True


def drop_unique(label: str, property_: str) -> bool:
    """Take the constraint away; False when there is none. ConflictError for what the platform laid for itself."""
    keys = _checked(label, [property_])
    if keys == (UID,):
        _refuse_own(label, keys)
    found = _laid(label, (TENANT, *keys))
    for one in found:
        client.define(lambda dialect, one=one: dialect.drop(one))  # type: ignore[misc]
    return bool(found)


def _laid(label: str, keys: tuple[str, ...]) -> list[Laid]:
    return [one for one in client.laid() if (one.label, one.properties) == (label, keys)]


def _refuse_own(label: str, keys: tuple[str, ...]) -> None:
    if any((one.label, one.properties) == (label, keys) for one in laying.wanted()):
        raise ConflictError(
            "The platform laid this for itself and needs it: it cannot be dropped.", code="graph_index_of_platform"
        )


def _checked(label: str, properties: Sequence[str]) -> tuple[str, ...]:
    """The properties. ValidationError for names that the schema does not have."""
    if label not in LABEL_NAMES:
        raise ValidationError(f"There is no label {label[:40]!r}. graph.schema lists them.", code="unknown_label")
    known = {one.name for one in label_named(label).properties} | {UID}
    for name in properties:
        if name not in known:
            raise ValidationError(
                f"{label} has no property {name[:40]!r}. It has {', '.join(sorted(known))}.", code="unknown_property"
            )
    if not 1 <= len(properties) <= PROPERTIES_MAX or len(set(properties)) != len(properties):
        raise ValidationError(f"Name 1 to {PROPERTIES_MAX} properties, each once.", code="invalid_properties")
    return tuple(properties)
