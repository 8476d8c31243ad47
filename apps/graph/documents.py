"""The schema as the API, tools and models' prompts show it, with the tenant's own numbers."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from apps.graph.errors import GraphStaleError, GraphUnavailableError
from apps.graph.schema import LABELS, RELATIONSHIPS, Label, Property
from apps.graph.selectors import SchemaCounts, schema_counts


def schema_document(tenant_id: UUID) -> dict[str, Any]:
    """Labels, relationship types and properties; how many there are, null where the graph does not answer."""
    try:
        counts: SchemaCounts | None = schema_counts(tenant_id)
    except (GraphUnavailableError, GraphStaleError):
        counts = None
    numbers = {} if counts is None else {**counts.labels, **counts.kinds, **counts.types}
    return {
        "labels": [_label(label, numbers) for label in LABELS],
        "relationships": [
            {
                "type": one.type,
                "source": one.source,
                "target": one.target,
                "about": one.about,
                "count": numbers.get(one.type),
                "properties": [_property(each) for each in one.properties],
            }
            for one in RELATIONSHIPS
        ],
        "node_count": None if counts is None else counts.nodes,
        "relationship_count": None if counts is None else counts.relationships,
        "counted": counts is not None,
        "stale": "" if counts is None else counts.stale,
    }


def _label(label: Label, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "label": label.label,
        "about": label.about,
        "key": label.key,
        "name": label.name,
        "count": numbers.get(label.label),
        "properties": [_property(one) for one in label.properties],
        "kinds": [_label(kind, numbers) for kind in label.kinds],
    }


def _property(one: Property) -> dict[str, Any]:
    return asdict(one)
