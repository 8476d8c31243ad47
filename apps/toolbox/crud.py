"""Single nodes and relationships of the graph: made, changed, deleted, without writing Cypher."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from apps.graph import editing
from apps.graph.editing import Editor
from apps.graph.picking import PICKED_MOST, Wish
from apps.graph.schema import KINDS
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

Properties = dict[str, JsonValue]
LABEL = "A label or kind of graph.schema, as Gene or Blast."
UID = "The node's uid, as other tools show it."
PROPERTIES_MOST = 50
Name = Field(None, max_length=100, description=LABEL)
Values = Field(max_length=PROPERTIES_MOST, description="Values by property; graph.schema tells their types.")
Match = Field(None, max_length=10, description="Instead of uid, with label: properties that are equal.")


class NodeOut(ToolOutput):
    uid: str
    created: bool = Field(description="False: a repeat of this very call made it.")
    node: dict[str, Any] = Field(description="{uid, labels, properties}")


class NodesOut(ToolOutput):
    updated: int
    nodes: list[dict[str, Any]] = Field(description="As they are now: {uid, labels, properties}.")


class DeletedOut(ToolOutput):
    deleted: bool = Field(description="False with dry_run.")
    uids: list[str] = Field(description="Of the nodes that went, or would go.")
    relationships: int = Field(description="That went, or would go, with them.")


class RelationshipOut(ToolOutput):
    created: bool = Field(description="False: it was there; its properties are set.")
    relationship: dict[str, Any] = Field(description="{uid, type, start, end, properties}; start and end are uids.")


class CreateNodeIn(ToolInput):
    label: str = Field(min_length=1, max_length=100, description=LABEL)
    properties: Properties = Values


class PickIn(ToolInput):
    uid: str | None = Field(None, min_length=1, max_length=200, description=UID)
    label: str | None = Name
    match: Properties | None = Match


class UpdateNodeIn(PickIn):
    properties: Properties = Values
    all: bool = Field(False, description=f"Whether all that match are meant, {PICKED_MOST} at most.")


class DeleteNodeIn(PickIn):
    detach: bool = Field(False, description="Whether the node's relationships go with it.")
    all: bool = Field(False, description=f"Whether all that match are meant, {PICKED_MOST} at most.")
    dry_run: bool = Field(False, description="Only say what would go.")


class EndIn(ToolInput):
    uid: str | None = Field(None, min_length=1, max_length=200, description=UID)
    label: str | None = Name
    match: Properties | None = Match


class RelationshipIn(ToolInput):
    type: str = Field(min_length=1, max_length=100, description="A relationship type of graph.schema, as RUNS.")
    start: str | EndIn = Field(description="uid of the node where it begins, or {label, match}.")
    end: str | EndIn = Field(description="uid of the node where it ends, or {label, match}.")


class CreateRelationshipIn(RelationshipIn):
    properties: Properties = Field(
        default_factory=dict, max_length=PROPERTIES_MOST, description="Values by property of the type."
    )


@tool(
    "crud.create_node",
    effect="write",
    title="Create a node",
    permissions=("graph:create",),
    example={
        "label": "Gene",
        "properties": {"id": "gene-example", "symbol": "TP53", "name": "tumor protein p53", "chromosome": "17"},
    },
    example_role="curator",
)
def create_node(context: ToolContext, given: CreateNodeIn) -> NodeOut:
    """Add a node to your tenant's graph.

    Every property that graph.schema does not mark may_miss is needed, with a value of its type; uid and tenant are set
    by the platform. A label's key names one node: a second is refused. A repeat of the call makes no second node.
    """
    made = editing.create_node(_editor(context, "node"), given.label, given.properties)
    return NodeOut(uid=made.thing["uid"], created=made.created, node=made.thing)


@tool(
    "crud.update_node",
    effect="idempotent",
    destructive_when=("all",),
    title="Update a node",
    permissions=("graph:update",),
    example={"label": "Task", "match": {"task_id": "task-000001"}, "properties": {"tags": ["checked"]}},
    example_role="curator",
)
def update_node(context: ToolContext, given: UpdateNodeIn) -> NodesOut:
    """Set properties of a node, found by uid, or by label and match.

    Others stay as they are; null takes a property away that may be missing. Several nodes are only changed with all.
    """
    nodes = editing.update_nodes(_editor(context), _wish(given, many=given.all), given.properties)
    return NodesOut(updated=len(nodes), nodes=nodes)


@tool(
    "crud.delete_node",
    effect="destructive",
    title="Delete a node",
    permissions=("graph:delete",),
    example={"label": "Task", "match": {"task_id": "task-000002"}, "dry_run": True},
    example_role="curator",
)
def delete_node(context: ToolContext, given: DeleteNodeIn) -> DeletedOut:
    """Delete a node, found by uid, or by label and match, for good.

    dry_run says what would go. A node with relationships is only deleted with detach, several nodes only with all.
    """
    gone = editing.delete_nodes(
        _editor(context), _wish(given, many=given.all), detach=given.detach, rehearse=given.dry_run
    )
    return DeletedOut(deleted=gone.done, uids=list(gone.uids), relationships=gone.relationships)


@tool(
    "crud.create_relationship",
    effect="idempotent",
    title="Create a relationship",
    permissions=("graph:create", "graph:update"),
    example={
        "type": "INPUT",
        "start": {"label": "File", "match": {"file_id": "file-000000"}},
        "end": {"label": "Task", "match": {"task_id": "task-000001"}},
    },
    example_role="curator",
)
def create_relationship(context: ToolContext, given: CreateRelationshipIn) -> RelationshipOut:
    """Join two nodes of your tenant by a relationship of the schema, in its direction.

    There is at most one of a type between two nodes: one that is there gets the properties.
    """
    made = editing.create_relationship(
        _editor(context), given.type, _end(given.start), _end(given.end), given.properties
    )
    return RelationshipOut(created=made.created, relationship=made.thing)


@tool(
    "crud.delete_relationship",
    effect="destructive",
    title="Delete a relationship",
    permissions=("graph:delete",),
    example={
        "type": "RUNS",
        "start": {"label": "User", "match": {"user_id": "1000"}},
        "end": {"label": "Task", "match": {"task_id": "task-000000"}},
    },
    example_role="curator",
)
def delete_relationship(context: ToolContext, given: RelationshipIn) -> DeletedOut:
    """Delete the relationship of a type from one node to another; the nodes stay."""
    gone = editing.delete_relationship(_editor(context), given.type, _end(given.start), _end(given.end))
    return DeletedOut(deleted=True, uids=[], relationships=gone.relationships)


class CrudIn(ToolInput):
    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=False)

    operation: Literal["create_node", "update_node", "delete_node", "create_relationship", "delete_relationship"]
    label: str | None = Name
    labels: list[str] | None = Field(None, max_length=2, description='Instead of label: ["Task", "Blast"].')
    uid: str | None = Field(None, min_length=1, max_length=200, description=UID)
    match: Properties | None = Match
    properties: Properties = Field(default_factory=dict, max_length=PROPERTIES_MOST, description="Values by property.")
    start: str | EndIn | None = Field(None, alias="from", description="Of a relationship: uid, or {label, match}.")
    end: str | EndIn | None = Field(None, alias="to", description="Of a relationship: uid, or {label, match}.")
    rel_type: str | None = Field(None, max_length=100, description="A relationship type of graph.schema.")
    detach: bool = Field(False, description="With delete_node: whether its relationships go with it.")
    all: bool = Field(False, description="Whether all nodes that match are meant.")
    dry_run: bool = Field(False, description="With delete_node: only say what would go.")


class CrudOut(ToolOutput):
    operation: str
    result: NodeOut | NodesOut | DeletedOut | RelationshipOut = Field(description="As of crud.<operation>.")


@tool(
    "graph.crud",
    effect="destructive",
    title="Create, update or delete in the graph",
    permissions=("graph:create", "graph:update", "graph:delete"),
    example={
        "operation": "update_node",
        "label": "Task",
        "match": {"task_id": "task-000001"},
        "properties": {"tags": ["checked"]},
    },
    example_role="curator",
)
def crud(context: ToolContext, given: CrudIn) -> CrudOut:
    """One operation of crud.* by name: create_node, update_node, delete_node, create_relationship, delete_relationship.

    Prefer crud.*: their arguments are told one by one, and those that do not delete need no approval for deleting.
    """
    result: NodeOut | NodesOut | DeletedOut | RelationshipOut
    label = _label(given)
    picked = {"uid": given.uid, "label": label, "match": given.match}
    match given.operation:
        case "create_node":
            result = create_node(context, CreateNodeIn(label=_needed(label, "label"), properties=given.properties))
        case "update_node":
            result = update_node(context, UpdateNodeIn(**picked, properties=given.properties, all=given.all))
        case "delete_node":
            result = delete_node(
                context, DeleteNodeIn(**picked, detach=given.detach, all=given.all, dry_run=given.dry_run)
            )
        case "create_relationship":
            result = create_relationship(
                context, CreateRelationshipIn(**_relationship(given), properties=given.properties)
            )
        case "delete_relationship":
            result = delete_relationship(context, RelationshipIn(**_relationship(given)))
    return CrudOut(operation=given.operation, result=result)


def _editor(context: ToolContext, what: str = "") -> Editor:
    """``once`` is of one caller: keys of two callers are two keys."""
    context.checkpoint()
    once = f"{what}\0{context.principal.sub}\0{context.idempotency_key}"
    return Editor(context.principal, context.left_s, once, context.cancelled)


def _wish(given: PickIn | EndIn, *, many: bool = False) -> Wish:
    return Wish(given.uid, given.label, given.match, many)


def _end(given: str | EndIn) -> Wish:
    return Wish(uid=given) if isinstance(given, str) else _wish(given)


def _label(given: CrudIn) -> str | None:
    """Of ["Task", "Blast"] the one that says more."""
    if given.labels is None:
        return given.label
    return next((name for name in given.labels if name in KINDS), given.labels[0] if given.labels else None)


def _relationship(given: CrudIn) -> dict[str, Any]:
    return {
        "type": _needed(given.rel_type, "rel_type"),
        "start": _needed(given.start, "from"),
        "end": _needed(given.end, "to"),
    }


def _needed(value: Any, name: str) -> Any:
    if value is None:
        raise ToolFailed(f"This operation needs {name}.", code="invalid_arguments")
    return value
