"""Cypher, one statement a line: any of the three servers runs it, and the platform's own parser reads it. Nothing of it
is ever run here.

    CREATE (:Task:Blast {uid: '...', task_id: '...'});
    MATCH (a:User {uid: '...'}), (b:Task {uid: '...'}) CREATE (a)-[:RUNS]->(b);
"""

from collections.abc import Iterator, Mapping
from typing import Any

from apps.graph.cypher import changes, tree
from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse_change
from apps.graph.cypher.printer import print_change
from apps.graph.records import Edge, Node, Record, RecordError
from apps.graph.schema import UID, relationship_named
from apps.graph.transfer.formats import Format, Raw, RawEdge, RawNode
from apps.graph.transfer.sections import Section


class CypherText(Format):
    name = "cypher"

    def file_name(self, section: Section) -> str:
        return ""

    def head(self, section: Section) -> str:
        return f"// {section.name}\n"

    def line(self, section: Section, record: Record) -> str:
        change = _node(record) if isinstance(record, Node) else _edge(record)
        return print_change(change) + ";\n"

    def read(self, lines: Iterator[str], section: Section | None, heading: str) -> Iterator[Raw | None]:
        for line in lines:
            said = line.strip()
            yield _record(said) if said and not said.startswith("//") else None


def _node(node: Node) -> changes.Change:
    pattern = tree.Node(None, node.labels, False, _map({UID: node.uid, **node.properties}))
    return changes.Change((), (changes.Create((tree.Path((pattern,)),)),))


def _edge(edge: Edge) -> changes.Change:
    type_ = relationship_named(edge.type)
    ends = (
        tree.Path((tree.Node("a", (type_.source,), False, _map({UID: edge.start})),)),
        tree.Path((tree.Node("b", (type_.target,), False, _map({UID: edge.end})),)),
    )
    properties = _map(edge.properties) if edge.properties else None
    made = tree.Path((tree.Node("a"), tree.Node("b")), (tree.Rel("out", None, (edge.type,), None, properties),))
    return changes.Change((tree.Match(ends),), (changes.Create((made,)),))


def _map(properties: Mapping[str, Any]) -> tree.MapOf:
    return tree.MapOf(tuple((key, _literal(value)) for key, value in properties.items()))


def _literal(value: Any) -> tree.Expr:
    return tree.ListOf(tuple(map(tree.Const, value))) if isinstance(value, list) else tree.Const(value)


def _record(statement: str) -> Raw:
    try:
        change = parse_change(statement)
    except CypherSyntaxError as error:
        raise RecordError("this is not a statement that makes one node or relationship") from error
    match change:
        case changes.Change(
            (), (changes.Create((tree.Path((tree.Node(labels=labels, properties=said),), ()),)),), None
        ):
            properties = _values(said)
            return RawNode(list(labels), properties.pop(UID, None), properties)
        case changes.Change(
            (tree.Match((tree.Path((start,), ()), tree.Path((end,), ())), None, False),),
            (changes.Create((tree.Path((tree.Node(variable=a), tree.Node(variable=b)), (rel,)),)),),
            None,
        ) if (a, b) == (start.variable, end.variable) and rel.direction == "out" and len(rel.types) == 1:
            return RawEdge(rel.types[0], _uid(start), _uid(end), _values(rel.properties))
    raise RecordError("this statement does something else than to make one node or relationship")


def _uid(node: tree.Node) -> Any:
    return _values(node.properties).get(UID)


def _values(said: tree.MapOf | None) -> dict[str, Any]:
    return {} if said is None else {key: _value(value) for key, value in said.entries}


def _value(expression: tree.Expr) -> Any:
    match expression:
        case tree.Const(value):
            return value
        case tree.ListOf(items):
            return [_value(one) for one in items]
        case tree.Unary("-", tree.Const(int() | float() as number)):
            return -number
    raise RecordError("a property is a text, a number, true, false or a list of them")
