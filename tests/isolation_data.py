"""Two graphs for the proof that tenants do not see each other: A's data alone, and A's data among B's.

B's are made to collide: the same keys, names and labels, edges to and from A's nodes and between them, nodes of nobody
and of tenants whose ids almost are A's; and values on which a careless condition fails, as a size of 0.
"""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import neo4j
from neo4j.graph import Node, Path, Relationship

from apps.graph.engines.arcadedb import ArcadeDB
from apps.graph.laying import statements
from devkit.datadir import DevkitError

A = "11111111-aaaa-4aaa-8aaa-111111111111"
B = "22222222-bbbb-4bbb-8bbb-222222222222"
ALMOST_A = (A.upper(), A + " ", A.replace("-", ""), 1, ["A"], "")
STATUSES = ("completed", "failed", "running")
NAMES = ("anna", "bruno", "carla")


@contextmanager
def two_graphs(servers: Any) -> Iterator[tuple[neo4j.Session, neo4j.Session]]:
    """Sessions on a database with A's data alone, and on one with everybody's. Both are dropped at the end."""
    variables = servers.variables()
    command = servers._servers["graph"]._command  # Bolt cannot make a database
    account = (variables["AGENTIC_GRAPH_USER"], variables["AGENTIC_GRAPH_PASSWORD"])
    names = ("isolation_alone", "isolation_among")
    for name in names:
        with suppress(DevkitError):
            command(f"drop database {name}")
        command(f"create database {name}")
    driver = neo4j.GraphDatabase.driver(variables["GRAPH_URL"], auth=account, notifications_min_severity="OFF")
    with driver, driver.session(database=names[0]) as alone, driver.session(database=names[1]) as among:
        fill(alone, with_others=False)
        fill(among, with_others=True)
        yield alone, among
    for name in names:
        command(f"drop database {name}")


def nodes_of(tenant: Any, mark: str, *, spoiled: bool) -> list[tuple[str, dict[str, Any]]]:
    """(labels, properties) of one tenant's nodes. ``spoiled``: numbers are 0 or texts."""
    number = itertools.cycle((0, "none", 0) if spoiled else (2, 5, 10, 1))
    found: list[tuple[str, dict[str, Any]]] = []
    for i in range(4):
        found.append(("User", {"user_id": f"u{i}", "user_name": NAMES[i % 3], "firstName": f"F{i % 2}"}))
        found.append(("File", {"file_id": f"f{i}", "user_filename": f"{NAMES[i % 3]}.fa", "size": next(number),
                               "extension": ("fa", "xml")[i % 2]}))  # fmt: skip
        found.append(("Task:Blast" if i % 2 else "Task", {
            "task_id": f"t{i}", "status": STATUSES[i % 3], "duration_s": next(number), "tags": ["x", f"tag{i}"],
        }))  # fmt: skip
    for i in range(2):
        found.append(("Institution", {"id": f"i{i}", "name": f"Institute {i}", "country": ("Italy", "Spain")[i]}))
    found[1][1].pop("size")
    for number_, (_, properties) in enumerate(found):
        properties["uid"] = f"{mark}-{number_}"
        if tenant is not None:
            properties["tenant_id"] = tenant
    return found


def edges_among(count: int) -> Iterator[tuple[int, str, int, dict[str, Any]]]:
    """(from, type, to, properties) between nodes of nodes_of, which come in threes: user, file, task."""
    for i in range(count):
        user, file, task = 3 * i, 3 * i + 1, 3 * i + 2
        yield user, "RUNS", task, {}
        yield user, "RUNS", 3 * ((i + 1) % count) + 2, {}
        yield file, "INPUT", task, {}
        yield task, "OUTPUT", 3 * ((i + 1) % count) + 1, {}
        yield user, "WORKS_AT", 3 * count + i % 2, {"since": 2000 + i, "role": STATUSES[i % 3]}


def fill(session: neo4j.Session, *, with_others: bool) -> None:
    """The indexes of the platform; A's data, so that they lie in both graphs alike; then the others'."""
    for text in statements(ArcadeDB()):
        if any(f"(n:{label})" in text for label in ("User", "Task", "Blast", "File", "Institution")):
            session.run(text).consume()
    own = nodes_of(A, "a", spoiled=False)
    _create(session, own)
    _connect(session, "a", "a", ((one, kind, other, {**more, "tenant_id": A}) for one, kind, other, more in
                                 edges_among(4)))  # fmt: skip
    tool = "CREATE (n:Tool {uid: $uid, tenant_id: $tenant, size: $size})"  # a label without an index
    session.run(tool, uid="a-tool", tenant=A, size=2).consume()
    if not with_others:
        return
    session.run(tool, uid="b-tool", tenant=B, size=0).consume()
    alone = (
        "CREATE (:Protein {uid: 'b-protein', tenant_id: $tenant, name: 'actin'})"
        "-[:RUNS {tenant_id: $tenant}]->(:Pathway {uid: 'b-pathway', tenant_id: $tenant})"
    )
    session.run(alone, tenant=B).consume()  # labels that A has none of
    _create(session, nodes_of(B, "b", spoiled=True))
    _create(session, nodes_of(None, "n", spoiled=True))
    for number, tenant in enumerate(ALMOST_A):
        _create(session, nodes_of(tenant, f"x{number}", spoiled=True)[:3])
    _connect(session, "b", "b", ((one, kind, other, {**more, "tenant_id": B}) for one, kind, other, more in
                                 edges_among(4)))  # fmt: skip
    for one, other in (("a", "b"), ("b", "a"), ("a", "n"), ("n", "a")):
        for tenant in (A, B, None):
            properties: dict[str, Any] = {"since": 0} if tenant is None else {"since": 0, "tenant_id": tenant}
            _connect(session, one, other, ((start, kind, end, properties) for start, kind, end, _ in edges_among(4)))
    for tenant in (B, None):  # another's edges between A's own nodes
        properties = {"since": 0} if tenant is None else {"since": 0, "tenant_id": tenant}
        _connect(session, "a", "a", ((end, kind, start, properties) for start, kind, end, _ in edges_among(4)))


def _create(session: neo4j.Session, nodes: Iterable[tuple[str, dict[str, Any]]]) -> None:
    by_labels: dict[str, list[dict[str, Any]]] = {}
    for labels, properties in nodes:
        by_labels.setdefault(labels, []).append(properties)
    for labels, rows in by_labels.items():
        session.run(f"UNWIND $rows AS row CREATE (n:{labels}) SET n = row", rows=rows).consume()


def _connect(session: neo4j.Session, one: str, other: str, edges: Iterable[tuple[int, str, int, Any]]) -> None:
    by_type: dict[str, list[dict[str, Any]]] = {}
    for start, kind, end, properties in edges:
        row = {"start": f"{one}-{start}", "end": f"{other}-{end}", "properties": properties}
        by_type.setdefault(kind, []).append(row)
    for kind, rows in by_type.items():
        session.run(
            f"UNWIND $rows AS row MATCH (a), (b) WHERE a.uid = row.start AND b.uid = row.end "
            f"CREATE (a)-[r:{kind}]->(b) SET r = row.properties",
            rows=rows,
        ).consume()


def answer(session: neo4j.Session, text: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
    """All that a caller could see: the rows, in no order, or the error."""
    try:
        result = session.run(text, parameters)
        rows = [tuple(_plain(value) for value in record.values()) for record in result]
    except neo4j.exceptions.Neo4jError as error:
        return ("error", error.code, error.message)
    return ("rows", tuple(sorted(rows, key=repr)))


def _plain(value: Any) -> Any:
    """The value without what differs from graph to graph: ids, and the order of collected lists."""
    if isinstance(value, Node):
        return ("node", tuple(sorted(value.labels)), tuple(sorted((key, _plain(one)) for key, one in value.items())))
    if isinstance(value, Relationship):
        return ("relationship", value.type, tuple(sorted((key, _plain(one)) for key, one in value.items())))
    if isinstance(value, Path):
        return ("path", *(_plain(one) for one in value.nodes), *(_plain(one) for one in value.relationships))
    if isinstance(value, list):
        return ("list", *sorted((_plain(one) for one in value), key=repr))
    if isinstance(value, dict):
        return ("map", *sorted((key, _plain(one)) for key, one in value.items()))
    return round(value, 9) if isinstance(value, float) else value
