"""Part of layer 3: which names a query may use. Labels, types and properties come from the schema alone (R29);
``tenant_id`` is nobody's to name; names that begin with two underscores are the gate's."""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from apps.graph import schema
from apps.graph.cypher import tree
from apps.graph.gate.draft import HIDDEN
from apps.graph.gate.functions import FUNCTIONS
from apps.graph.gate.names import did_you_mean
from apps.graph.gate.verdict import GateRefusal

_OF_TIMES = frozenset(("year", "month", "day", "hour", "minute", "second", "millisecond", "week", "quarter",
                       "dayOfWeek", "days", "months", "years", "hours", "minutes", "seconds"))  # fmt: skip
_NAMED = {
    tree.Var: "name",
    tree.Param: "name",
    tree.Unwind: "variable",
    tree.Column: "alias",
    tree.ListComprehension: "variable",
    tree.Quantifier: "variable",
    tree.MapProjection: "of",
    tree.Path: "variable",
}
_INTEGERS = frozenset(("tointeger", "size", "length"))


def check(records: tuple[Any, ...], parameters: Mapping[str, Any]) -> None:
    """GateRefusal for a name that is not the caller's to use. ``records``: all of a tree, before it is rewritten."""
    keys = {key for one in records if isinstance(one, tree.MapOf) for key, _ in one.entries}
    keys |= {one.key for one in records if isinstance(one, tree.ProjectionItem) and one.kind != "property"}
    keys |= set(_keys_in(parameters.values()))
    readable = schema.PROPERTY_NAMES | keys | _OF_TIMES
    for key in (*keys, *(name for name in parameters if name.startswith(HIDDEN))):
        own(key)
    for record in records:
        attribute = _NAMED.get(type(record))
        if attribute is not None:
            name = getattr(record, attribute)
            if name is not None:
                own(name)
        match record:
            case tree.Prop(key=key):
                known_property(key, readable)
            case tree.Node(variable=name, labels=labels, properties=properties):
                own(name or "")
                _known(labels, schema.LABEL_NAMES, "label")
                _pattern_keys(properties)
            case tree.Rel(variable=name, types=types, properties=properties):
                own(name or "")
                _known(types, schema.TYPE_NAMES, "relationship type")
                _pattern_keys(properties)
            case tree.HasLabels(labels=labels):
                _known(labels, schema.LABEL_NAMES, "label")
            case tree.Reduce(accumulator=one, variable=other):
                own(one)
                own(other)
            case tree.ProjectionItem(kind="property", key=key):
                known_property(key, readable)
            case tree.Index():
                _dynamic(record, parameters, readable)


def own(name: str) -> str:
    """The name, unless it is reserved."""
    if name.startswith(HIDDEN):
        raise GateRefusal("tenant", f"{name} begins with {HIDDEN}.", "Such names are reserved: choose another.")
    if _spelling(name) == schema.TENANT:
        raise GateRefusal(
            "tenant",
            f"A query cannot name {schema.TENANT}.",
            "Leave it out: every query sees the data of your own tenant, and nothing else.",
        )
    return name


def known_property(key: str, known: Iterable[str] = schema.PROPERTY_NAMES) -> None:
    """GateRefusal unless the schema, or a map of the query's own, has this key."""
    own(key)
    if key not in known:
        raise GateRefusal(
            "tenant", f"No label and no relationship has a property {key}.", did_you_mean(key, schema.PROPERTY_NAMES)
        )


def _spelling(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().strip()


def _known(names: tuple[str, ...], known: frozenset[str], what: str) -> None:
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"There are {', '.join(sorted(known))}."
            raise GateRefusal("tenant", f"There is no {what} {own(name)}.", hint)


def _pattern_keys(properties: tree.MapOf | None) -> None:
    if properties is not None:
        for key, _ in properties.entries:
            known_property(key)


def _dynamic(index: tree.Index, parameters: Mapping[str, Any], readable: Iterable[str]) -> None:
    """``of[at]`` on a node is a property by another name: only with a name that can be read, or clearly a number."""
    at = index.at
    if isinstance(at, tree.Const) and isinstance(at.value, str):
        known_property(at.value, readable)
    elif isinstance(at, tree.Param):
        value = parameters.get(at.name)
        if isinstance(value, str):
            known_property(value, readable)
        elif type(value) is not int:
            raise _no_dynamic_key()
    elif not _is_number(at) and not _is_collection(index.of):
        raise _no_dynamic_key()


def _no_dynamic_key() -> GateRefusal:
    return GateRefusal(
        "tenant",
        "What stands in [ ] could be the name of a property.",
        "Write n.name; for an element of a list, write list[toInteger(i)].",
    )


def _is_number(expression: tree.Expr) -> bool:
    match expression:
        case tree.Const(value):
            return type(value) is int
        case tree.Unary("-" | "+", operand):
            return _is_number(operand)
        case tree.Binary("+" | "-" | "*" | "/" | "%", left, right):
            return _is_number(left) and _is_number(right)
        case tree.Call(name):
            return name.lower() in _INTEGERS
        case _:
            return False


def _is_collection(expression: tree.Expr) -> bool:
    match expression:
        case tree.ListOf() | tree.MapOf() | tree.ListComprehension() | tree.PatternComprehension() | tree.Slice():
            return True
        case tree.Call(name):
            function = FUNCTIONS.get(name.lower())
            return function is not None and function.gives in ("list", "nodes", "relationships")
        case _:
            return False


def _keys_in(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        if isinstance(value, Mapping):
            yield from value
            yield from _keys_in(value.values())
        elif isinstance(value, list | tuple):
            yield from _keys_in(value)
