"""The wall behind the gate: what comes back is looked at once more (R28). Pure, for any shape of value."""

from collections.abc import Iterable, Mapping
from typing import Any

from apps.graph.schema import TENANT


def belongs(value: Any, tenant_id: str) -> bool:
    """Whether nothing in this value is another tenant's, or nobody's.

    A node or relationship (anything with ``labels`` or ``type`` beside its properties) must carry the tenant's id, as a
    text equal to it. A path belongs when all that it holds does. A plain map may be somebody's properties: what it says
    of a tenant must be true. Anything unknown does not belong.
    """
    if value is None or isinstance(value, bool | int | float | str | bytes | bytearray):
        return True
    if hasattr(value, "nodes") and hasattr(value, "relationships"):
        return all(belongs(one, tenant_id) for one in (*value.nodes, *value.relationships))
    if hasattr(value, "element_id"):
        return is_own(value.get(TENANT), tenant_id)
    if isinstance(value, Mapping):
        return (TENANT not in value or is_own(value[TENANT], tenant_id)) and all(
            belongs(one, tenant_id) for one in value.values()
        )
    if isinstance(value, list | tuple | set | frozenset):
        return all(belongs(one, tenant_id) for one in value)
    return hasattr(value, "iso_format") or hasattr(value, "isoformat") or hasattr(value, "srid")


def is_own(said: Any, tenant_id: str) -> bool:
    """Typed equality: no number, no other case, no space around it."""
    return type(said) is str and said == tenant_id


def stripped(value: Any) -> Any:
    """A JSON value without the tenant's id, at any depth."""
    if isinstance(value, Mapping):
        return {key: stripped(one) for key, one in value.items() if key != TENANT}
    if isinstance(value, list | tuple):
        return [stripped(one) for one in value]
    return value


def foreign(rows: Iterable[Iterable[Any]], tenant_id: str) -> int:
    """How many rows hold something that does not belong."""
    return sum(1 for row in rows if not all(belongs(value, tenant_id) for value in row))
