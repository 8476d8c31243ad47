"""Part of layer 3 for changes: what is written becomes the tenant's own, and belongs to nobody else at any moment.

New nodes get ``tenant_id`` and a ``uid``, new relationships ``tenant_id``; no change sets either of them by itself.
Only what a bound MATCH found, or the change itself made, is changed or deleted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from apps.graph import schema
from apps.graph.cypher import changes, tree
from apps.graph.gate import scope
from apps.graph.gate.expressions import Env, elements, kind_of
from apps.graph.gate.guards import OWN
from apps.graph.gate.names import did_you_mean, refuse
from apps.graph.gate.verdict import GateRefusal
from apps.graph.gate.vocabulary import known_property

UID_PARAMETER = "__uid"
_THINGS = ("node", "relationship")
_TEN_DIGITS = tree.Call("toString", (
    tree.Call("toInteger", (
        tree.Binary("+", tree.Const(1_000_000_000), tree.Binary("*", tree.Call("rand", ()), tree.Const(8_999_999_999))),
    )),
))  # fmt: skip
NEW_UID = tree.Binary("+", tree.Binary("+", tree.Param(UID_PARAMETER), _TEN_DIGITS), _TEN_DIGITS)
"""A uid as uids.py makes them, one for each row: the tenant's beginning, and 20 digits by chance."""


@dataclass(frozen=True, slots=True)
class Writes:
    """``made``: how many nodes and relationships the clauses make."""

    clauses: tuple[changes.Writing, ...]
    made: int


def known_after(writing: tuple[changes.Writing, ...], env: Env) -> Env:
    """What is known after these clauses. GateRefusal for unknown names, and for nodes that are described twice."""
    for clause in writing:
        match clause:
            case changes.Create(paths):
                for path in paths:
                    _check_path(path, env)
                    env = scope.add_paths((path,), env)
            case changes.Merge(path):
                _check_path(path, env)
                env = scope.add_paths((path,), env)
                for one in (*clause.on_create, *clause.on_match):
                    _check_assignment(one, env)
            case changes.SetProperties(assignments):
                for one in assignments:
                    _check_assignment(one, env)
            case changes.RemoveProperties(properties):
                for variable, _ in properties:
                    _check_thing(variable, env, "REMOVE")
            case changes.Delete(variables):
                for variable in variables:
                    _check_thing(variable, env, "DELETE")
    return env


def check_names(writing: tuple[changes.Writing, ...], env: Env, given: Mapping[str, Any]) -> None:
    """GateRefusal for properties that no change may set, and for labels that are missing."""
    for clause in writing:
        match clause:
            case changes.Create(paths):
                for path in paths:
                    _check_new(path)
            case changes.Merge(path):
                _check_new(path)
                for one in (*clause.on_create, *clause.on_match):
                    _check_keys(one, given)
            case changes.SetProperties(assignments):
                for one in assignments:
                    _check_keys(one, given)
            case changes.RemoveProperties(properties):
                for _, key in properties:
                    _check_key(key)


def changed_names(writing: tuple[changes.Writing, ...], env: Env) -> list[str]:
    """The variables that the clauses change or delete and did not make, each once, in order."""
    names: dict[str, None] = {}
    made: set[str] = set()
    for clause in writing:
        match clause:
            case changes.Create(paths):
                made |= {part.variable or "" for path in paths for part in elements(path) if _is_new(part)}
            case changes.Merge(path):
                made |= {part.variable or "" for part in elements(path)}
            case changes.SetProperties(assignments):
                names |= dict.fromkeys(one.variable for one in assignments)
            case changes.RemoveProperties(properties):
                names |= dict.fromkeys(variable for variable, _ in properties)
            case changes.Delete(variables):
                names |= dict.fromkeys(variables)
    return [name for name in names if name not in made]


def own_writes(
    writing: tuple[changes.Writing, ...], bind: Callable[[Any], Any], new_uid: tree.Expr = NEW_UID
) -> Writes:
    """The clauses with the tenant, and a uid, in all that they make. ``bind`` binds the patterns in an expression."""
    made, known, clauses = 0, set[str](), list[changes.Writing]()
    numbers = count(1)

    def own_path(path: tree.Path, uid: bool) -> tree.Path:
        nonlocal made
        nodes = []
        for node in path.nodes:
            if node.variable is not None and (node.variable in known or not node.labels):
                nodes.append(node)
                continue
            made += 1
            entries = _bound_entries(node.properties, bind)
            added = ((schema.UID, new_uid),) if uid else ()
            nodes.append(replace(node, properties=tree.MapOf(((schema.TENANT, OWN), *added, *entries))))
            known.update([node.variable] if node.variable else [])
        made += len(path.rels)
        rels = tuple(
            replace(rel, properties=tree.MapOf(((schema.TENANT, OWN), *_bound_entries(rel.properties, bind))))
            for rel in path.rels
        )
        return replace(path, nodes=tuple(nodes), rels=rels)

    for clause in writing:
        match clause:
            case changes.Create(paths):
                clauses.append(changes.Create(tuple(own_path(path, uid=True) for path in paths)))
            case changes.Merge(path):
                nodes = tuple(
                    node if node.variable else replace(node, variable=f"__made{next(numbers)}") for node in path.nodes
                )
                path = replace(path, nodes=nodes)
                new = [node.variable for node in nodes if node.labels and node.variable not in known]
                uids = tuple(changes.Assignment(name, schema.UID, new_uid) for name in new if name)
                on_create = (*uids, *(_bound(one, bind) for one in clause.on_create))
                on_match = tuple(_bound(one, bind) for one in clause.on_match)
                clauses.append(changes.Merge(own_path(path, uid=False), on_create, on_match))
            case changes.SetProperties(assignments):
                clauses.append(changes.SetProperties(tuple(_bound(one, bind) for one in assignments)))
            case _:
                clauses.append(clause)
    _prove(clauses)
    return Writes(tuple(clauses), made)


def _prove(clauses: list[changes.Writing]) -> None:
    """AssertionError when something that is made is not the tenant's: a fault of the gate."""
    for clause in clauses:
        paths = clause.paths if isinstance(clause, changes.Create) else (
            (clause.path,) if isinstance(clause, changes.Merge) else ()
        )  # fmt: skip
        for part in (one for path in paths for one in elements(path)):
            is_name_alone = isinstance(part, tree.Node) and not part.labels and part.properties is None
            is_own = part.properties is not None and part.properties.entries[0] == (schema.TENANT, OWN)
            if not is_own and not (is_name_alone and part.variable):
                raise AssertionError("something that is made has no tenant")


def _is_new(part: tree.Node | tree.Rel) -> bool:
    return part.variable is not None and (isinstance(part, tree.Rel) or bool(part.labels))


def _bound(one: changes.Assignment, bind: Callable[[Any], Any]) -> changes.Assignment:
    return replace(one, value=bind(one.value))


def _bound_entries(properties: tree.MapOf | None, bind: Callable[[Any], Any]) -> tuple[tuple[str, tree.Expr], ...]:
    return () if properties is None else tuple((key, bind(value)) for key, value in properties.entries)


def _check_path(path: tree.Path, env: Env) -> None:
    """A node that is known is only named; one that is not is described."""
    for node in path.nodes:
        if node.variable in env and (node.labels or node.properties):
            raise refuse(f"{node.variable} is known already.", "Write its name alone: (n), and SET to change it.")
        if node.variable not in env and not node.labels and node.variable is not None:
            described = any(one.variable == node.variable and one.labels for one in path.nodes)
            if not described:
                raise refuse(f"The node {node.variable} has no label.", did_you_mean(node.variable, env))
    for rel in path.rels:
        if rel.variable in env:
            raise refuse(f"{rel.variable} is known already.", "Choose another name.")


def _check_new(path: tree.Path) -> None:
    for node in path.nodes:
        if node.variable is None and not node.labels:
            raise GateRefusal("tenant", "A new node needs a label.", "Write (:Task {task_id: $id}).")
        for key, _ in node.properties.entries if node.properties else ():
            _check_key(key)


def _check_assignment(one: changes.Assignment, env: Env) -> None:
    _check_thing(one.variable, env, "SET")
    scope.check(one.value, env)


def _check_thing(variable: str, env: Env, word: str) -> None:
    scope.check(tree.Var(variable), env)
    if kind_of(tree.Var(variable), env) not in _THINGS:
        raise refuse(
            f"{word} takes nodes and relationships; {variable} is neither.", "Name one that a MATCH before found."
        )


def _check_keys(one: changes.Assignment, given: Mapping[str, Any]) -> None:
    """``n += map`` takes a map whose keys can be seen."""
    if one.key is not None:
        _check_key(one.key)
        return
    if isinstance(one.value, tree.MapOf):
        keys = [key for key, _ in one.value.entries]
    elif isinstance(one.value, tree.Param) and isinstance(given.get(one.value.name), dict):
        keys = list(given[one.value.name])
    else:
        raise GateRefusal("tenant", "+= takes a map in braces, or a parameter that is one.", "Write n += {name: 'x'}.")
    for key in keys:
        _check_key(key)


def _check_key(key: str) -> None:
    known_property(key)
    if key == schema.UID:
        raise GateRefusal("tenant", f"{schema.UID} is set by the platform.", "Leave it out.")
