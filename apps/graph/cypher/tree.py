"""The syntax tree of a query: frozen records, nothing hidden. What is not here cannot be asked; nothing here writes.

Every record prints to one text (printer.py), and that text parses (parser.py) to an equal record. Names are plain
text: quoting with backticks is the printer's business.
"""

from dataclasses import dataclass
from typing import Literal

# --- Expressions


@dataclass(frozen=True, slots=True)
class Const:
    """A literal: text, whole number, decimal number, true, false, null."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Param:
    """``$name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Var:
    """A name that a pattern, WITH, UNWIND or a comprehension gave."""

    name: str


@dataclass(frozen=True, slots=True)
class Prop:
    """``of.key``."""

    of: "Expr"
    key: str


@dataclass(frozen=True, slots=True)
class Index:
    """``of[at]``."""

    of: "Expr"
    at: "Expr"


@dataclass(frozen=True, slots=True)
class Slice:
    """``of[start..stop]``; either end may be absent."""

    of: "Expr"
    start: "Expr | None"
    stop: "Expr | None"


@dataclass(frozen=True, slots=True)
class ListOf:
    """``[a, b]``."""

    items: "tuple[Expr, ...]"


@dataclass(frozen=True, slots=True)
class MapOf:
    """``{key: value}``, in the order written; no key twice."""

    entries: "tuple[tuple[str, Expr], ...]"


@dataclass(frozen=True, slots=True)
class MapProjection:
    """``of {.key, .*, alias: expr, variable}``."""

    of: str
    items: "tuple[ProjectionItem, ...]"


@dataclass(frozen=True, slots=True)
class ProjectionItem:
    """One item: ``property`` (.key), ``all`` (.*), ``entry`` (key: value) or ``variable`` (a name alone)."""

    kind: Literal["property", "all", "entry", "variable"]
    key: str = ""
    value: "Expr | None" = None


@dataclass(frozen=True, slots=True)
class Call:
    """``name(arguments)``; the name as written in the list of allowed functions. ``count(*)`` is CountAll."""

    name: str
    arguments: "tuple[Expr, ...]"
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class CountAll:
    """``count(*)``."""


@dataclass(frozen=True, slots=True)
class Unary:
    """``NOT x``, ``-x``, ``+x``."""

    operator: Literal["NOT", "-", "+"]
    operand: "Expr"


@dataclass(frozen=True, slots=True)
class Binary:
    """``left operator right``. Comparisons that are chained (``1 < x < 3``) are Compare."""

    operator: Literal[
        "OR", "XOR", "AND", "+", "-", "*", "/", "%", "^", "IN", "STARTS WITH", "ENDS WITH", "CONTAINS", "=~"
    ]
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True, slots=True)
class Compare:
    """``first = second <= third``: one operator less than operands, two operands or more."""

    operands: "tuple[Expr, ...]"
    operators: "tuple[Literal['=', '<>', '<', '<=', '>', '>='], ...]"


@dataclass(frozen=True, slots=True)
class IsNull:
    """``x IS NULL``, ``x IS NOT NULL``."""

    operand: "Expr"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class HasLabels:
    """``n:Label`` as a truth: all of the labels."""

    of: "Expr"
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """``CASE [subject] WHEN a THEN b ... [ELSE c] END``."""

    subject: "Expr | None"
    branches: "tuple[tuple[Expr, Expr], ...]"
    otherwise: "Expr | None"


@dataclass(frozen=True, slots=True)
class ListComprehension:
    """``[x IN source WHERE condition | result]``."""

    variable: str
    source: "Expr"
    where: "Expr | None"
    result: "Expr | None"


@dataclass(frozen=True, slots=True)
class PatternComprehension:
    """``[(a)-->(b) WHERE condition | result]``."""

    pattern: "Path"
    where: "Expr | None"
    result: "Expr"


@dataclass(frozen=True, slots=True)
class Quantifier:
    """``all(x IN source WHERE condition)``, and any, none, single."""

    kind: Literal["all", "any", "none", "single"]
    variable: str
    source: "Expr"
    where: "Expr"


@dataclass(frozen=True, slots=True)
class Reduce:
    """``reduce(total = start, x IN source | step)``."""

    accumulator: str
    start: "Expr"
    variable: str
    source: "Expr"
    step: "Expr"


@dataclass(frozen=True, slots=True)
class PatternPredicate:
    """A pattern as a truth: ``(a)-[:RUNS]->()`` or ``exists((a)-->())``. It brings no new names."""

    pattern: "Path"


@dataclass(frozen=True, slots=True)
class Exists:
    """``EXISTS { MATCH ... }``: a query whose rows are only counted as some or none; its last RETURN may be absent."""

    query: "Query"


Expr = (
    Const
    | Param
    | Var
    | Prop
    | Index
    | Slice
    | ListOf
    | MapOf
    | MapProjection
    | Call
    | CountAll
    | Unary
    | Binary
    | Compare
    | IsNull
    | HasLabels
    | Case
    | ListComprehension
    | PatternComprehension
    | Quantifier
    | Reduce
    | PatternPredicate
    | Exists
)

# --- Patterns


@dataclass(frozen=True, slots=True)
class Node:
    """``(variable:Label:Other {key: value})``. ``any_label``: the labels are alternatives (``:A|B``)."""

    variable: str | None = None
    labels: tuple[str, ...] = ()
    any_label: bool = False
    properties: MapOf | None = None


@dataclass(frozen=True, slots=True)
class Hops:
    """``*least..most``; None where the text names no bound."""

    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Rel:
    """``-[variable:TYPE|OTHER*1..3 {key: value}]->``. ``direction`` is as read from left to right."""

    direction: Literal["out", "in", "both"]
    variable: str | None = None
    types: tuple[str, ...] = ()
    hops: Hops | None = None
    properties: MapOf | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """``variable = (node)-[rel]->(node)...``: one node more than rels. ``shortest``: shortestPath(...) around it."""

    nodes: tuple[Node, ...]
    rels: tuple[Rel, ...] = ()
    variable: str | None = None
    shortest: Literal["one", "all"] | None = None


# --- Clauses


@dataclass(frozen=True, slots=True)
class Match:
    """``[OPTIONAL] MATCH paths [WHERE condition]``."""

    paths: tuple[Path, ...]
    where: Expr | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Unwind:
    """``UNWIND source AS variable``."""

    source: Expr
    variable: str


@dataclass(frozen=True, slots=True)
class Column:
    """``expression [AS alias]`` of WITH or RETURN."""

    expression: Expr
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One key of ORDER BY."""

    expression: Expr
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Projection:
    """``[DISTINCT] [*,] columns [ORDER BY ...] [SKIP n] [LIMIT n]``."""

    columns: tuple[Column, ...]
    everything: bool = False
    distinct: bool = False
    order: tuple[Order, ...] = ()
    skip: Expr | None = None
    limit: Expr | None = None


@dataclass(frozen=True, slots=True)
class With:
    """``WITH projection [WHERE condition]``."""

    projection: Projection
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """``RETURN projection``."""

    projection: Projection


@dataclass(frozen=True, slots=True)
class Subquery:
    """``CALL { query }``. What it sees of the outside it imports itself, by a leading WITH."""

    query: "Query"


Clause = Match | Unwind | With | Return | Subquery


@dataclass(frozen=True, slots=True)
class Branch:
    """Clauses between two UNIONs. ``keeps_duplicates``: UNION ALL joins it to what stands before it."""

    clauses: tuple[Clause, ...]
    keeps_duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One statement: branches joined by UNION."""

    branches: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody sent. EXPLAIN and PROFILE ask about a query instead of running it."""

    query: Query
    mode: Literal["run", "explain", "profile"] = "run"
