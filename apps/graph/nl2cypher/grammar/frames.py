"""What a question means: things with conditions and links, and what is asked of them. Frozen, comparable, no text."""

from dataclasses import dataclass
from typing import Literal

Scalar = str | int | float
Operator = Literal["=", "<>", "<", "<=", ">", ">=", "contains", "starts", "ends", "in", "not in", "has", "has not",
                   "missing", "present", "from to", "named", "not named"]  # fmt: skip
Role = Literal["input", "output"]
Quantity = Literal["some", "none", ">", ">=", "<", "<=", "="]


@dataclass(frozen=True, slots=True)
class Test:
    """A condition on a property. ``from to``: value <= property < upper. ``has``: the property is a list with the value
    in it. ``named``: any of the properties that people call such a node by equals the value, whatever the case."""

    property: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...] | None = None
    upper: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One step: over a relationship of these types, along its arrow or against it, to a node of the label. ``forward``
    is None where the types point both ways (a file that a task read or wrote)."""

    types: tuple[str, ...]
    forward: bool | None
    label: str


@dataclass(frozen=True, slots=True)
class Link:
    """The thing reaches ``target`` over ``hops``: at least once (some), never (none), or as often as ``number``
    says. ``edge_tests`` are on the first hop's relationship."""

    hops: tuple[Hop, ...]
    target: "Thing"
    quantity: Quantity = "some"
    number: int = 0
    edge_tests: tuple[Test, ...] = ()


@dataclass(frozen=True, slots=True)
class Thing:
    """Nodes of a label (and kind), with conditions. ``named``: one of them is meant by name. ``role``: of files, that
    they were read or written by some task. ``noun``: the word of the question, singular."""

    label: str
    noun: str
    kind: str | None = None
    tests: tuple[Test, ...] = ()
    links: tuple[Link, ...] = ()
    plural: bool = True
    role: Role | None = None
    named: bool = False

    @property
    def bare(self) -> bool:
        return not (self.tests or self.links or self.named)

    @property
    def schema_name(self) -> str:
        return self.kind or self.label


@dataclass(frozen=True, slots=True)
class Key:
    """What is grouped by: nodes of ``label`` at the end of the hops, or their ``property``, or the property's first
    ``characters`` (year 4, month 7, day 10); ``on_edge``: the property is of the last hop's relationship."""

    label: str
    hops: tuple[Hop, ...] = ()
    property: str | None = None
    characters: int | None = None
    on_edge: bool = False
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The things, with these properties besides their names; in order; the first so many."""

    thing: Thing
    columns: tuple[str, ...] = ()
    order: str | None = None
    descending: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Counting:
    thing: Thing


@dataclass(frozen=True, slots=True)
class Existing:
    """Is there one?"""

    thing: Thing


@dataclass(frozen=True, slots=True)
class Figure:
    """One number over a property, or one for each group. ``count``: of distinct values."""

    function: Literal["avg", "sum", "min", "max", "count"]
    property: str
    thing: Thing
    key: Key | None = None


@dataclass(frozen=True, slots=True)
class Groups:
    """How many things there are for each key. ``descending`` None: in the order of the key."""

    thing: Thing
    key: Key
    descending: bool | None = None
    limit: int | None = None
    key_tests: tuple[Test, ...] = ()
    key_links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """The average, largest or smallest of the groups' counts; a group of none counts as nought."""

    function: Literal["avg", "min", "max"]
    groups: Groups


@dataclass(frozen=True, slots=True)
class Pairs:
    """Each thing with each of what it is linked to."""

    thing: Thing
    hops: tuple[Hop, ...]
    other: Thing


@dataclass(frozen=True, slots=True)
class Values:
    """The different values of a property."""

    property: str
    thing: Thing
    hops: tuple[Hop, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubles:
    """Values of a property that more than one of the things has."""

    property: str
    thing: Thing


@dataclass(frozen=True, slots=True)
class Route:
    """How one thing hangs together with another."""

    start: Thing
    end: Thing


Meaning = Listing | Counting | Existing | Figure | Groups | Spread | Pairs | Values | Doubles | Route
