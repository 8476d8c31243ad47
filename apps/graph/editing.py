"""Single nodes and relationships made, changed and deleted, without a Cypher text of the caller's (SPEC 8, CRUD).

Each edit is a text of this module's own, with names of the schema, and values as parameters; it passes the gate for
changes, which sets tenant and uid and holds the values against the schema, and is in the audit log.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any

from apps.audit import trail
from apps.graph import client, naming, queries, selectors, turns
from apps.graph.errors import GraphConflictError
from apps.graph.gate.change import inspect_change
from apps.graph.gate.verdict import GateRefusal
from apps.graph.picking import Picked, Wish, pick
from apps.graph.results import Written
from apps.graph.schema import UID, label_named
from apps.graph.uids import uid_for
from apps.identity.principal import Principal
from kernel.errors import ConflictError, NotFoundError, ValidationError
from kernel.tenant_context import tenant_scope

AUDITED_UIDS = 20


@dataclass(frozen=True, slots=True)
class Editor:
    """Who edits, and for how long. ``once``: the same for every repeat of one creation."""

    principal: Principal
    timeout_s: float
    once: str = ""
    cancelled: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A node or a relationship as results.py shows it. ``created``: now; else it was there."""

    thing: dict[str, Any]
    created: bool


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went, or with a rehearsal would go: these nodes, and this many relationships with them."""

    uids: tuple[str, ...]
    relationships: int
    done: bool


def create_node(editor: Editor, label: str, properties: Mapping[str, Any]) -> Made:
    """A node of this label or kind, made once for ``editor.once``.

    GateRefusal for properties that do not fit; ConflictError when there is one with the same key.
    """
    labels = naming.labels_of(label)
    uid = uid_for(editor.principal.tenant_id, f"made once {editor.once}")
    text = f"CREATE (n:{labels}) SET n += $properties RETURN n"
    with _turn(editor, label, properties):
        _require_free_key(editor, label, uid, properties)
        try:
            written = _write(editor, "create_node", text, {"properties": dict(properties)}, [uid], new_uid=uid)
        except GraphConflictError:  # its uid is taken: an earlier try was
            found = _node(editor, labels, uid)
            if found is None:
                raise
            return Made(found, created=False)
    return Made(written.rows.rows[0][0], created=True)


def update_nodes(editor: Editor, wish: Wish, properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Set these properties; null takes one away that may be missing. The nodes as they are then. ConflictError for a
    key that another node has, or that several would get."""
    if not properties:
        raise ValidationError("Say which properties to set.", code="nothing_to_set")
    picked = pick(editor.principal, wish, timeout_s=editor.timeout_s)
    _require_kind(picked, properties)
    text = f"UNWIND $uids AS uid MATCH (n:{picked.label} {{uid: uid}}) SET n += $properties RETURN n"
    values = {"uids": list(picked.uids), "properties": dict(properties)}
    with _turn(editor, picked.label, properties):
        _require_own_key(editor, picked, properties)
        written = _write(editor, "update_node", text, values, list(picked.uids))
    return [row[0] for row in written.rows.rows]


def delete_nodes(editor: Editor, wish: Wish, *, detach: bool, rehearse: bool) -> Deleted:
    """Delete what is meant, with its relationships where ``detach`` says so. ConflictError when it has some and it does
    not. ``rehearse``: nothing changes."""
    picked = pick(editor.principal, wish, timeout_s=editor.timeout_s)
    relationships = _relationships(editor, picked)
    if rehearse:
        return Deleted(picked.uids, relationships, done=False)
    if relationships and not detach:
        raise ConflictError(
            f"{len(picked.uids)} nodes have {relationships} relationships, which would go with them. Say detach to "
            "delete those, too.",
            code="node_has_relationships", relationships=relationships,
        )  # fmt: skip
    text = f"UNWIND $uids AS uid MATCH (n:{picked.label} {{uid: uid}}) {'DETACH ' if detach else ''}DELETE n"
    written = _write(editor, "delete_node", text, {"uids": list(picked.uids)}, list(picked.uids))
    return Deleted(picked.uids, written.counters.relationships_deleted or relationships, done=True)


def create_relationship(editor: Editor, type_: str, start: Wish, end: Wish, properties: Mapping[str, Any]) -> Made:
    """``(start)-[type]->(end)``; the one that is there gets these properties. GateRefusal, NotFoundError and
    ConflictError as above; ValidationError when the type does not join such nodes."""
    wanted = naming.type_of(type_)
    ends = _ends(editor, type_, start, end)
    text = (
        f"MATCH (a:{wanted.source} {{uid: $start}}), (b:{wanted.target} {{uid: $end}}) "
        f"MERGE (a)-[r:{wanted.type}]->(b) SET r += $properties RETURN r"
    )
    values = {**ends, "properties": dict(properties)}
    with turns.of_thing(editor.principal.tenant_id, f"{wanted.type} {ends['start']} {ends['end']}"):
        written = _write(editor, "create_relationship", text, values, [*ends.values()])
    if not written.rows.rows:
        raise NotFoundError("One of the two nodes is not there any more.", code="node_not_found")
    return Made(written.rows.rows[0][0], created=written.counters.relationships_created > 0)


def delete_relationship(editor: Editor, type_: str, start: Wish, end: Wish) -> Deleted:
    """Delete ``(start)-[type]->(end)``. NotFoundError when it is not there."""
    wanted = naming.type_of(type_)
    ends = _ends(editor, type_, start, end)
    text = f"MATCH (a:{wanted.source} {{uid: $start}})-[r:{wanted.type}]->(b:{wanted.target} {{uid: $end}}) DELETE r"
    written = _write(editor, "delete_relationship", text, ends, [*ends.values()])
    gone = written.counters.relationships_deleted
    if not gone:
        raise NotFoundError(f"There is no {type_} from the one to the other.", code="relationship_not_found")
    return Deleted((), gone, done=True)


def _write(
    editor: Editor, action: str, text: str, values: Mapping[str, Any], uids: list[str], *, new_uid: str | None = None
) -> Written:
    principal = editor.principal
    try:
        passed = inspect_change(
            text, values, tenant_id=str(principal.tenant_id), limits=queries.limits(),
            dialect=queries.printer_dialect(), timeout_s=editor.timeout_s, new_uid=new_uid,
        )  # fmt: skip
    except GateRefusal as refusal:
        queries.note_refusal(principal, "graph.edit", refusal, text)
        raise
    written = client.write(
        passed.text, passed.parameters, tenant_id=principal.tenant_id, timeout_s=passed.timeout_s,
        cancelled=editor.cancelled,
    )  # fmt: skip
    selectors.forget(principal.tenant_id)
    with tenant_scope(principal.tenant_id):
        trail.record(
            **trail.by(principal),
            action=f"graph.{action}",
            resource_type="graph",
            resource_id=uids[0] if len(uids) == 1 else "",
            details={"uids": uids[:AUDITED_UIDS], "sha256": passed.sha256, "counters": asdict(written.counters)},
        )
    return written


def _require_kind(picked: Picked, properties: Mapping[str, Any]) -> None:
    """A property of another kind is not these nodes'. Names that nobody has are the gate's to refuse."""
    known = naming.properties_of(picked.label)
    for kind in sorted(picked.kinds):
        own = {one.name for one in label_named(kind).properties}
        for name in properties:
            if name in known and name != UID and name not in own:
                raise ValidationError(f"A {kind} has no property {name}.", code="unknown_name")


def _require_own_key(editor: Editor, picked: Picked, properties: Mapping[str, Any]) -> None:
    """A key is one node's, however it came by it."""
    key = label_named(picked.label).key
    if properties.get(key) is not None and len(picked.uids) > 1:
        raise ConflictError(f"{len(picked.uids)} nodes would get the same {key}. Set it of one node.", code="key_taken")
    _require_free_key(editor, picked.label, picked.uids[0], properties)


def _turn(editor: Editor, label: str, properties: Mapping[str, Any]) -> AbstractContextManager[None]:
    """While it lasts, nobody else gives a node of this label the key that these properties have."""
    base = naming.base_of(label)
    value = properties.get(label_named(base).key)
    return turns.of_thing(editor.principal.tenant_id, "" if value is None else f"{base} {value}")


def _require_free_key(editor: Editor, label: str, uid: str, properties: Mapping[str, Any]) -> None:
    """Two of the same key would be one thing told twice. A key that does not fit is the gate's to refuse."""
    key = label_named(naming.base_of(label)).key
    value = properties.get(key)
    if not isinstance(value, str):
        return
    text = f"MATCH (n:{naming.base_of(label)} {{{key}: $key}}) RETURN n.uid AS uid LIMIT 2"
    found = [row[0] for row in _read(editor, text, {"key": value}) if row[0] != uid]
    if found:
        raise ConflictError(
            f"There is a {naming.base_of(label)} with this {key} already. Update it, or choose another.",
            code="key_taken", uid=found[0],
        )  # fmt: skip


def _node(editor: Editor, labels: str, uid: str) -> dict[str, Any] | None:
    found = _read(editor, f"MATCH (n:{labels} {{uid: $uid}}) RETURN n", {"uid": uid})
    return found[0][0] if found else None


def _relationships(editor: Editor, picked: Picked) -> int:
    text = f"UNWIND $uids AS uid MATCH (n:{picked.label} {{uid: uid}})-[r]-() RETURN count(DISTINCT r) AS relationships"
    return int(_read(editor, text, {"uids": list(picked.uids)})[0][0])


def _read(editor: Editor, text: str, values: Mapping[str, Any]) -> list[list[Any]]:
    passed = queries.inspected(editor.principal, text, values, timeout_s=editor.timeout_s)
    return queries.read(editor.principal, passed, cancelled=editor.cancelled).rows


def _ends(editor: Editor, type_: str, start: Wish, end: Wish) -> dict[str, str]:
    wanted = naming.type_of(type_)
    uids = {}
    for name, wish, label in (("start", start, wanted.source), ("end", end, wanted.target)):
        picked = pick(editor.principal, wish, timeout_s=editor.timeout_s)
        if picked.label != label:
            raise ValidationError(
                f"{type_} goes from a {wanted.source} to a {wanted.target}; its {name} is a {picked.label}.",
                code="wrong_direction",
            )
        uids[name] = picked.uids[0]
    return uids
