"""Random queries over the schema, as trees: every kind of clause, pattern and expression that can reach data.

They are written for results that two graphs with the same visible data must share: what depends on the order of rows,
as LIMIT without ORDER BY, is not asked.
"""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from apps.graph.cypher import tree
from tests.isolation_data import NAMES, STATUSES

LABELS = ("User", "Task", "File", "Institution", "Blast", "Tool", "Protein")
TYPES = ("RUNS", "INPUT", "OUTPUT", "WORKS_AT")
TEXTS = ("user_name", "user_id", "status", "task_id", "user_filename", "extension", "name", "country", "uid")
NUMBERS = ("size", "duration_s")
VALUES = (*NAMES, *STATUSES, "u1", "t2", "fa", "Italy", "anna.fa")
HOPS = ((1, 2), (None, 3), (0, 2), (2, 2), (1, 2), (2, 3), (None, None))


def const(value: Any) -> tree.Const:
    return tree.Const(value)


def prop(name: str, key: str) -> tree.Prop:
    return tree.Prop(tree.Var(name), key)


def call(name: str, *arguments: tree.Expr) -> tree.Call:
    return tree.Call(name, arguments)


@dataclass
class Names:
    """What a query knows at some point, by kind."""

    node: list[str] = field(default_factory=list)
    rel: list[str] = field(default_factory=list)
    rels: list[str] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    shortest: list[str] = field(default_factory=list)
    value: list[str] = field(default_factory=list)

    def only(self, kept: list[str]) -> "Names":
        return Names(*([one for one in getattr(self, kind) if one in kept] for kind in self.__dataclass_fields__))

    def all(self) -> list[str]:
        return [one for name in self.__dataclass_fields__ for one in getattr(self, name)]


class Writer:
    """Draws one query."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self._number = 0

    def one(self, *choices: Any) -> Any:
        return self._draw(st.sampled_from(choices))

    def chance(self, percent: int) -> bool:
        return bool(self._draw(st.integers(0, 99)) >= 100 - percent)  # shrinks to False

    def new(self, letter: str) -> str:
        self._number += 1
        return f"{letter}{self._number}"

    # --- patterns

    def node(self, names: Names, local: Names, *, naming: int) -> tree.Node:
        if names.node and self.chance(35):
            return tree.Node(self.one(*names.node))
        variable = self.new("n") if self.chance(naming) else None
        labels = (self.one(*LABELS),) if self.chance(60) else ()
        both = bool(labels) and self.chance(10)
        properties = None
        if self.chance(15):
            properties = tree.MapOf(((self.one(*TEXTS), const(self.one(*VALUES))),))
        if variable:
            local.node.append(variable)
        return tree.Node(variable, (*labels, "Task") if both else labels, both, properties)

    def path(self, names: Names, *, naming: int = 80, rels: int = 2, shortest: bool = True) -> tuple[tree.Path, Names]:
        """A path, and the names that it brings."""
        local = Names()
        if shortest and self.chance(8):
            return self._shortest(names, local)
        count = self._draw(st.sampled_from((0, 1, 1, 2)[: rels + 2]))
        nodes = [self.node(names, local, naming=naming)]
        steps = []
        for _ in range(count):
            hops = tree.Hops(*self.one(*HOPS)) if self.chance(30) else None
            variable = self.new("r") if naming and self.chance(40) else None
            if variable:
                (local.rel if hops is None else local.rels).append(variable)
            types = tuple(sorted(set(self._draw(st.lists(st.sampled_from(TYPES), max_size=2)))))
            properties = tree.MapOf((("since", const(2001)),)) if hops is None and self.chance(4) else None
            steps.append(tree.Rel(self.one("both", "out", "in"), variable, types, hops, properties))
            nodes.append(self.node(names, local, naming=naming))
        variable = None
        if naming and self.chance(30):
            variable = self.new("p")
            local.path.append(variable)
        return tree.Path(tuple(nodes), tuple(steps), variable), local

    def _shortest(self, names: Names, local: Names) -> tuple[tree.Path, Names]:
        ends = []
        for label in (self.one("User", "File"), self.one("Task", "Institution")):
            name = self.new("n")
            local.node.append(name)
            ends.append(tree.Node(name, (label,)))
        found = self.new("p")
        local.shortest.append(found)
        rel = tree.Rel("both", hops=tree.Hops(None, self.one(3, 4)))
        return tree.Path((ends[0], ends[1]), (rel,), found, self.one("one", "one", "all")), local

    # --- conditions

    def condition(self, names: Names, depth: int = 2) -> tree.Expr:
        if depth and self.chance(35):
            operator = self.one("AND", "OR", "XOR", "NOT")
            if operator == "NOT":
                return tree.Unary("NOT", self.condition(names, depth - 1))
            return tree.Binary(operator, self.condition(names, depth - 1), self.condition(names, depth - 1))
        kinds = ["plain"]
        kinds += (
            ["text", "number", "label", "null", "risky", "risky", "risky", "pattern", "exists", "regex"]
            if names.node
            else []
        )
        kinds += ["nodes"] if names.path else []
        kinds += ["rel"] if names.rel else []
        kinds += ["rels"] if names.rels else []
        kinds += ["length"] if names.shortest else []
        return getattr(self, f"_{self.one(*kinds)}_condition")(names, depth)  # type: ignore[no-any-return]

    def _plain_condition(self, names: Names, depth: int) -> tree.Expr:
        return const(self.one(True, False))

    def _text_condition(self, names: Names, depth: int) -> tree.Expr:
        left = prop(self.one(*names.node), self.one(*TEXTS))
        kind = self.one("=", "<>", "IN", "STARTS WITH", "CONTAINS")
        if kind in ("=", "<>"):
            return tree.Compare((left, const(self.one(*VALUES))), (kind,))
        if kind == "IN":
            return tree.Binary("IN", left, tree.ListOf((const(self.one(*VALUES)), const(self.one(*VALUES)))))
        return tree.Binary(kind, left, const(self.one("a", "c", "f")))

    def _number_condition(self, names: Names, depth: int) -> tree.Expr:
        left = prop(self.one(*names.node), self.one(*NUMBERS))
        return tree.Compare((left, const(self.one(0, 2, 5))), (self.one("<", ">=", "=", "<>"),))

    def _risky_condition(self, names: Names, depth: int) -> tree.Expr:
        """Fails on nodes of B: their numbers are 0, or texts."""
        value = tree.Binary("/", const(10), prop(self.one(*names.node), self.one(*NUMBERS)))
        return tree.Compare((value, const(3)), (self.one("<", ">"),))

    def _regex_condition(self, names: Names, depth: int) -> tree.Expr:
        return tree.Binary("=~", prop(self.one(*names.node), self.one(*TEXTS)), const(self.one("a.*", ".*[0-9]")))

    def _label_condition(self, names: Names, depth: int) -> tree.Expr:
        return tree.HasLabels(tree.Var(self.one(*names.node)), (self.one(*LABELS),))

    def _null_condition(self, names: Names, depth: int) -> tree.Expr:
        return tree.IsNull(prop(self.one(*names.node), self.one(*TEXTS, *NUMBERS)), self.chance(50))

    def _pattern_condition(self, names: Names, depth: int) -> tree.Expr:
        path, _ = self.path(Names(), naming=0, rels=2, shortest=False)
        start = tree.Node(self.one(*names.node))
        rels = path.rels or (tree.Rel("both"),)
        nodes = (start, *(path.nodes[1:] or (tree.Node(),)))
        return tree.PatternPredicate(tree.Path(nodes, rels))

    def _exists_condition(self, names: Names, depth: int) -> tree.Expr:
        path, local = self.path(Names(), shortest=False)
        anchored = tree.Path((tree.Node(self.one(*names.node)), *path.nodes[1:]), path.rels, path.variable)
        if path.nodes[0].variable:
            local.node.remove(path.nodes[0].variable)
        known = _merged(names, local)
        where = self.condition(known, depth - 1) if depth and self.chance(60) else None
        return tree.Exists(tree.Query((tree.Branch((tree.Match((anchored,), where),)),)))

    def _nodes_condition(self, names: Names, depth: int) -> tree.Expr:
        each = self.new("x")
        source = call("nodes", tree.Var(self.one(*names.path)))
        inner = Names(node=[each])
        kind = self.one("all", "any", "none", "single")
        return tree.Quantifier(kind, each, source, self.one(self._text_condition, self._risky_condition)(inner, 0))

    def _rel_condition(self, names: Names, depth: int) -> tree.Expr:
        rel = tree.Var(self.one(*names.rel))
        if self.chance(50):
            return tree.Compare((tree.Binary("/", const(10), tree.Prop(rel, "since")), const(0)), (">=",))
        end = call(self.one("startNode", "endNode"), rel)
        return tree.Compare((tree.Prop(end, self.one(*TEXTS)), const(self.one(*VALUES))), ("=",))

    def _rels_condition(self, names: Names, depth: int) -> tree.Expr:
        each = self.new("x")
        ends = tree.Prop(call(self.one("startNode", "endNode"), tree.Var(each)), self.one(*TEXTS))
        return tree.Quantifier(
            self.one("all", "any", "none"), each, tree.Var(self.one(*names.rels)),
            tree.Compare((ends, const(self.one(*VALUES))), (self.one("=", "<>"),)),
        )  # fmt: skip

    def _length_condition(self, names: Names, depth: int) -> tree.Expr:
        return tree.Compare((call("length", tree.Var(self.one(*names.shortest))), const(1)), (">",))

    # --- values

    def value(self, names: Names, *, whole: bool = True) -> tree.Expr:
        """A value that may stand in a column. ``whole``: nodes and the like themselves, too."""
        kinds = ["given"]
        if names.node:
            kinds += ["text", "number", "labels", "keys", "comprehension", "case", "map", "risky"]
        kinds += ["inside", "sum"] if names.path else []
        kinds += ["ends"] if names.rel else []
        kinds += ["steps"] if names.rels else []
        kinds += ["long"] if names.shortest else []
        kinds += ["known"] if names.value else []
        kinds += ["whole"] if whole and (names.node or names.rel or names.path) else []
        return getattr(self, f"_{self.one(*kinds)}_value")(names)  # type: ignore[no-any-return]

    def _given_value(self, names: Names) -> tree.Expr:
        return const(self.one(1, "a", None, True))

    def _known_value(self, names: Names) -> tree.Expr:
        return tree.Var(self.one(*names.value))

    def _whole_value(self, names: Names) -> tree.Expr:
        return tree.Var(self.one(*names.node, *names.rel, *names.path))

    def _text_value(self, names: Names) -> tree.Expr:
        found: tree.Expr = prop(self.one(*names.node), self.one(*TEXTS))
        return call("toUpper", found) if self.chance(15) else found

    def _number_value(self, names: Names) -> tree.Expr:
        return call("coalesce", prop(self.one(*names.node), self.one(*NUMBERS)), const(-1))

    def _risky_value(self, names: Names) -> tree.Expr:
        return tree.Binary("/", const(10), prop(self.one(*names.node), self.one(*NUMBERS)))

    def _labels_value(self, names: Names) -> tree.Expr:
        return call("labels", tree.Var(self.one(*names.node)))

    def _keys_value(self, names: Names) -> tree.Expr:
        found = call(self.one("keys", "properties"), tree.Var(self.one(*names.node)))
        return call("size", found) if found.name == "keys" and self.chance(50) else found

    def _map_value(self, names: Names) -> tree.Expr:
        items = (tree.ProjectionItem("all"),) if self.chance(50) else (
            tree.ProjectionItem("property", "uid"), tree.ProjectionItem("entry", "more", self._text_value(names)),
        )  # fmt: skip
        return tree.MapProjection(self.one(*names.node), items)

    def _case_value(self, names: Names) -> tree.Expr:
        return tree.Case(None, ((self.condition(names, 1), self._text_value(names)),), const("else"))

    def _comprehension_value(self, names: Names) -> tree.Expr:
        path, local = self.path(Names(), rels=2, shortest=False)
        start = tree.Node(self.one(*names.node))
        rels, nodes = path.rels or (tree.Rel("both"),), (start, *(path.nodes[1:] or (tree.Node(self.new("m")),)))
        if path.nodes[0].variable:
            local.node.remove(path.nodes[0].variable)
        pattern = tree.Path(nodes, rels)
        local.path.clear()
        known = _merged(names, local)
        where = self.condition(known, 1) if self.chance(50) else None
        found = tree.PatternComprehension(pattern, where, self.value(Names(known.node), whole=False))
        return call("size", found) if self.chance(50) else found

    def _inside_value(self, names: Names) -> tree.Expr:
        each = self.new("x")
        kind = self.one("nodes", "relationships", "length")
        source = call(kind, tree.Var(self.one(*names.path)))
        if kind == "length":
            return source
        shown = prop(each, "uid") if kind == "nodes" else call("type", tree.Var(each))
        return tree.ListComprehension(each, source, None, shown)

    def _sum_value(self, names: Names) -> tree.Expr:
        source = call("nodes", tree.Var(self.one(*names.path)))
        step = tree.Binary("+", tree.Var("acc"), call("size", tree.Prop(tree.Var("each"), "uid")))
        return tree.Reduce("acc", const(0), "each", source, step)

    def _ends_value(self, names: Names) -> tree.Expr:
        rel = tree.Var(self.one(*names.rel))
        kind = self.one("startNode", "endNode", "type", "since")
        if kind == "type":
            return call("type", rel)
        return tree.Prop(rel, "since") if kind == "since" else tree.Prop(call(kind, rel), "uid")

    def _steps_value(self, names: Names) -> tree.Expr:
        steps = tree.Var(self.one(*names.rels))
        if self.chance(50):
            return call("size", steps)
        each = self.new("x")
        return tree.ListComprehension(each, steps, None, tree.Prop(call("endNode", tree.Var(each)), "uid"))

    def _long_value(self, names: Names) -> tree.Expr:
        return call("length", tree.Var(self.one(*names.shortest)))

    def aggregate(self, names: Names) -> tree.Expr:
        kind = self.one("*", "count", "collect", "sum", "min", "max")
        if kind == "*":
            return tree.CountAll()
        if kind == "sum":
            return call("sum", self._number_value(names) if names.node else const(1))
        if kind in ("min", "max"):
            return call(kind, self._text_value(names) if names.node else const(1))
        return tree.Call(kind, (self.value(names),), self.chance(30))

    # --- clauses

    def match(self, names: Names) -> tree.Match:
        optional = bool(names.all()) and self.chance(35)
        paths, brought = [], Names()
        for _ in range(2 if self.chance(20) and not optional else 1):
            path, local = self.path(_merged(names, brought), shortest=not optional and not paths)
            paths.append(path)
            brought = _merged(brought, local)
            if path.shortest:
                break
        _take(names, brought)
        where = self.condition(names) if self.chance(70) else None
        return tree.Match(tuple(paths), where, optional)

    def unwind(self, names: Names) -> tree.Unwind:
        if names.path and self.chance(60):
            variable, source = self.new("n"), call("nodes", tree.Var(self.one(*names.path)))
            names.node.append(variable)
            return tree.Unwind(source, variable)
        variable = self.new("v")
        source_: tree.Expr = tree.ListOf((const("u1"), const("t2")))
        if names.node and self.chance(50):
            source_ = call("labels", tree.Var(self.one(*names.node)))
        names.value.append(variable)
        return tree.Unwind(source_, variable)

    def with_(self, names: Names) -> tree.With:
        kept = [name for name in names.all() if self.chance(70)] or names.all()[:1]
        columns = [tree.Column(tree.Var(name)) for name in kept]
        after = names.only(kept)
        order: tuple[tree.Order, ...] = ()
        limit = None
        if not kept or self.chance(60):
            added = self.new("v")
            aggregated = self.chance(50)
            expression = self.aggregate(names) if aggregated else self.value(names)
            columns.append(tree.Column(expression, added))
            after.value.append(added)
        elif self.chance(30) and len(kept) == 1 and kept[0] in names.node:
            order, limit = (tree.Order(prop(kept[0], "uid")),), const(self.one(1, 3))
        for kind in list(after.__dataclass_fields__):
            setattr(names, kind, getattr(after, kind))
        where = self.condition(names) if self.chance(35) else None
        return tree.With(tree.Projection(tuple(columns), False, self.chance(20), order, None, limit), where)

    def subquery(self, names: Names) -> tree.Subquery:
        imported = [name for name in names.all() if self.chance(60)]
        inner = Names(
            *([one for one in getattr(names, kind) if one in imported] for kind in names.__dataclass_fields__)
        )
        clauses: list[Any] = []
        if imported:
            clauses.append(tree.With(tree.Projection(tuple(tree.Column(tree.Var(name)) for name in imported))))
        clauses.append(self.match(inner))
        name = self.new("v")
        shown = self.aggregate(inner) if self.chance(60) else self.value(inner, whole=False)
        clauses.append(tree.Return(tree.Projection((tree.Column(shown, name),))))
        names.value.append(name)
        return tree.Subquery(tree.Query((tree.Branch(tuple(clauses)),)))

    def result(self, names: Names, columns: tuple[str, ...] | None = None) -> tree.Return:
        shown = columns or tuple(self.new("c") for _ in range(self._draw(st.integers(1, 3))))
        aggregated = self.chance(40)
        made = []
        for number, name in enumerate(shown):
            grouped = aggregated and (number == len(shown) - 1)
            made.append(tree.Column(self.aggregate(names) if grouped else self.value(names), name))
        order: tuple[tree.Order, ...] = ()
        skip = limit = None
        if self.chance(15) and not columns and not aggregated:
            made = [tree.Column(self._text_value(names) if names.node else const(1), name) for name in shown]
            order = tuple(tree.Order(tree.Var(name), self.chance(50)) for name in shown)
            skip, limit = (const(1) if self.chance(50) else None), const(self.one(1, 3, 10))
        return tree.Return(tree.Projection(tuple(made), False, self.chance(20), order, skip, limit))

    def branch(self, columns: tuple[str, ...] | None = None) -> tree.Branch:
        names = Names()
        clauses: list[Any] = [self.match(names)]
        for _ in range(self._draw(st.integers(0, 2))):
            clauses.append(self.one(self.match, self.with_, self.unwind, self.subquery)(names))
        clauses.append(self.result(names, columns))
        return tree.Branch(tuple(clauses))

    def statement(self) -> tree.Statement:
        if self.chance(15):
            first, second = self.branch(("c",)), self.branch(("c",))
            second = tree.Branch(second.clauses, self.chance(50))
            return tree.Statement(tree.Query((first, second)))
        return tree.Statement(tree.Query((self.branch(),)))


def _merged(one: Names, other: Names) -> Names:
    return Names(*([*getattr(one, kind), *getattr(other, kind)] for kind in one.__dataclass_fields__))


def _take(names: Names, other: Names) -> None:
    for kind in names.__dataclass_fields__:
        getattr(names, kind).extend(getattr(other, kind))


@st.composite
def statements(draw: Any) -> tree.Statement:
    """A random query that reads."""
    return Writer(draw).statement()
