"""The functions that a query may call: those that Memgraph, Neo4j and ArcadeDB all have, with the same meaning."""

from dataclasses import dataclass
from typing import Literal

Gives = Literal["value", "list", "map", "node", "nodes", "relationships"]


@dataclass(frozen=True, slots=True)
class Function:
    """``least`` and ``most`` arguments. ``gives``: what kind of thing, where that matters for names and sizes."""

    name: str
    least: int = 1
    most: int = 1
    gives: Gives = "value"
    aggregates: bool = False


_ALLOWED = (
    *(Function(name, aggregates=True) for name in ("count", "sum", "avg", "min", "max")),
    Function("collect", gives="list", aggregates=True),
    # of nodes, relationships and paths
    *(Function(name) for name in ("type", "length", "size")),
    Function("labels", gives="list"), Function("keys", gives="list"), Function("properties", gives="map"),
    Function("nodes", gives="nodes"), Function("relationships", gives="relationships"),
    Function("startNode", gives="node"), Function("endNode", gives="node"),
    # of lists and anything
    Function("coalesce", 1, 20), Function("head"), Function("last"), Function("tail", gives="list"),
    Function("reverse"), Function("range", 2, 3, gives="list"), Function("exists"),
    # of text
    *(Function(name) for name in ("toLower", "toUpper", "trim", "lTrim", "rTrim")),
    Function("replace", 3, 3), Function("split", 2, 2, gives="list"), Function("substring", 2, 3),
    Function("left", 2, 2), Function("right", 2, 2),
    *(Function(name) for name in ("toString", "toInteger", "toFloat", "toBoolean")),
    # of numbers
    *(Function(name) for name in ("abs", "ceil", "floor", "round", "sign", "sqrt", "exp", "log", "log10", "sin", "cos",
                                  "tan", "asin", "acos", "atan")),
    Function("atan2", 2, 2), Function("pi", 0, 0), Function("e", 0, 0), Function("rand", 0, 0),
    # of time
    Function("date", 0, 1, gives="map"), Function("datetime", 0, 1, gives="map"),
    Function("localDateTime", 0, 1, gives="map"), Function("duration", gives="map"),
)  # fmt: skip
FUNCTIONS: dict[str, Function] = {one.name.lower(): one for one in _ALLOWED}
"""Lower case name -> function. Names are written in any case and printed as here."""
AGGREGATES: frozenset[str] = frozenset(one.name.lower() for one in _ALLOWED if one.aggregates)

INSTEAD: dict[str, str] = {
    "id": "Use the property uid: ids differ between servers and change.",
    "elementid": "Use the property uid: ids differ between servers and change.",
    "timestamp": "Pass the time as a parameter: its unit differs between servers.",
    "time": "Use datetime().",
    "stdev": "Collect the values and compute it from the rows.",
    "percentilecont": "Sort the values and take one from the rows.",
    "percentiledisc": "Sort the values and take one from the rows.",
    "isempty": "Write size(x) = 0.",
    "degree": "Write size([(n)--() | 1]).",
    "indegree": "Write size([(n)<--() | 1]).",
    "outdegree": "Write size([(n)-->() | 1]).",
    "toset": "Write collect(DISTINCT x).",
    "username": "The gate knows who you are; a query need not.",
    "roles": "The gate knows who you are; a query need not.",
    "valuetype": "The schema says of what type each property is.",
    "randomuuid": "Make identifiers before the query and pass them as parameters.",
}
"""What to write instead of functions that people look for."""
