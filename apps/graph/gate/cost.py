"""Part of layer 4: how many rows a query may touch, and how large a value may grow, estimated without the data.

The weights are those of a graph of middling size: a label has NODES nodes, a node DEGREE relationships. Patterns that
share no variable multiply, UNWIND multiplies by the length of its list, LIMIT caps. What the estimate counts is the sum
of the rows after every step; subqueries and patterns inside expressions count once for each row around them.
"""

from collections.abc import Mapping
from typing import Any

from apps.graph.cypher import tree
from apps.graph.gate import regexes
from apps.graph.gate.expressions import aggregates, names_of_path, parts
from apps.graph.gate.limits import Limits
from apps.graph.gate.ranges import length_of_range
from apps.graph.gate.sizes import ONE, PROPERTY, Size, given, largest, of_value, total
from apps.graph.gate.starts import COLLECTED, DEGREE, NODES, cheapest_start, pinned
from apps.graph.gate.verdict import GateRefusal

_FIXED: dict[str, Size] = {
    "keys": (20.0, 20.0), "labels": (2.0, 20.0), "properties": (20.0, 100.0), "nodes": (10.0, 1.0),
    "relationships": (10.0, 1.0), "type": (20.0, 1.0),
}  # fmt: skip
_LIKE_ARGUMENT = frozenset(("toLower", "toUpper", "trim", "lTrim", "rTrim", "substring", "left", "right", "reverse",
                            "tail", "toString", "coalesce", "max", "min"))  # fmt: skip
_A_STEP = 25.0  # elements or characters that are read in about the time of one step
_NO_STEP = 10.0  # steps that come with every value
_GROWS = 1.001
_FEW_TIMES = 20


def estimate(query: tree.Query, parameters: Mapping[str, Any], limits: Limits) -> float:
    """The rows that the query may touch. GateRefusal when a value may grow beyond what one may hold."""
    found = _Estimate(parameters, limits, {})
    found.query(query)
    return found.work


class _Estimate:
    """``rows``: how many there are at this point; ``work``: the sum so far; ``sizes``: of what is known here;
    ``at_once``: the steps inside expressions that one row of the present clause takes."""

    def __init__(self, parameters: Mapping[str, Any], limits: Limits, sizes: dict[str, Size]) -> None:
        self.parameters = parameters
        self.limits = limits
        self.sizes = sizes
        self.rows = 1.0
        self.work = 0.0
        self.at_once = 0.0
        self.reduces = 0

    def query(self, query: tree.Query) -> None:
        """``rows`` and ``sizes`` are afterwards those of the result."""
        outer, rows, sizes = dict(self.sizes), 0.0, dict[str, Size]()
        for branch in query.branches:
            self.rows, self.sizes = 1.0, dict(outer)
            for clause in branch.clauses:
                self._clause(clause)
            rows += self.rows
            sizes |= {name: largest([size, sizes.get(name, ONE)]) for name, size in self.sizes.items()}
        self.rows, self.sizes = rows, sizes

    def _clause(self, clause: tree.Clause) -> None:
        self.at_once = 0.0
        match clause:
            case tree.Match():
                self._match(clause.paths, clause.where)
            case tree.Unwind():
                count, each = self.size(clause.source)
                self.rows *= max(count, 1.0)
                self.sizes[clause.variable] = (each, 1.0)
            case tree.With():
                self._project(clause.projection)
                if clause.where is not None:
                    self.size(clause.where)
            case tree.Return():
                self._project(clause.projection)
            case tree.Subquery():
                inner = self._inside(lambda found: found.query(clause.query))
                self.rows *= max(inner.rows, 1.0)
                self.sizes |= inner.sizes
        self.work += self.rows

    def _match(self, paths: tuple[tree.Path, ...], where: tree.Expr | None) -> None:
        starts = pinned(where)
        waiting = list(paths)
        while waiting:
            joined = [path for path in waiting if any(name in self.sizes for name in names_of_path(path))]
            path = joined[0] if joined else min(waiting, key=lambda one: cheapest_start(one, starts))
            waiting.remove(path)
            if not joined:
                self.rows *= cheapest_start(path, starts)
            hops = 0
            for rel in path.rels:
                most = 1 if rel.hops is None else (rel.hops.most or self.limits.hops)
                hops += most
                self.rows *= DEGREE**most
                self.work += self.rows
                if rel.variable:
                    self.sizes[rel.variable] = (float(most), 1.0)
            ends = [node.variable for node in (path.nodes[0], path.nodes[-1])]
            if hops and all(name is not None and name in self.sizes for name in ends):
                self.rows /= DEGREE**hops  # both ends were known: the path only says whether and how
            self.sizes |= {node.variable: ONE for node in path.nodes if node.variable}
            if path.variable:
                self.sizes[path.variable] = (float(hops + 1), 1.0)
        if where is not None:
            self.size(where)

    def _project(self, projection: tree.Projection) -> None:
        columns = projection.columns
        found = {one.alias or getattr(one.expression, "name", ""): self.size(one.expression) for one in columns}
        for key in projection.order:
            self.size(key.expression)
        if columns and all(aggregates(one.expression) for one in columns) and not projection.everything:
            self.rows = 1.0
        limit = projection.limit
        value = given(limit, self.parameters)
        if type(value) is int:
            self.rows = min(self.rows, float(value))
        self.sizes = self.sizes | found if projection.everything else found

    def _inside(self, run: Any) -> "_Estimate":
        """Another estimate, of something that is worked out for each row of this one."""
        inner = self._another(self.sizes)
        run(inner)
        self.work += self.rows * inner.work
        return inner

    def _another(self, sizes: dict[str, Size]) -> "_Estimate":
        inner = _Estimate(self.parameters, self.limits, dict(sizes))
        inner.reduces = self.reduces
        return inner

    def _reads(self, sizes: list[Size]) -> None:
        """What working with large values costs, as ``x IN $thousands`` and toUpper($long)."""
        steps = sum(max(0.0, total(size) / _A_STEP - _NO_STEP) for size in sizes)
        if steps:
            self._spend(steps)

    def _spend(self, steps: float) -> None:
        self.work += self.rows * steps
        self._takes(steps)

    def _takes(self, steps: float) -> None:
        """GateRefusal when one row takes more steps inside expressions than may go on unseen."""
        self.at_once += steps
        if self.at_once > self.limits.at_once:
            raise GateRefusal(
                "depth",
                f"Lists and patterns inside expressions of this query may take about {self.at_once:.0e} steps "
                f"for one row; the most is {self.limits.at_once:.0e}.",
                "Make the lists shorter, or spread them over rows with UNWIND.",
            )

    def size(self, expression: tree.Expr) -> Size:
        """How large the value may be; what working it out costs is added to ``work``."""
        found = self._size(expression)
        if total(found) > self.limits.size:
            raise GateRefusal(
                "depth",
                f"A value in this query may grow to about {total(found):.0e} elements or characters.",
                "Build smaller lists and texts, or return rows instead.",
            )
        return found

    def _size(self, one: tree.Expr) -> Size:
        match one:
            case tree.Const(value):
                return (float(max(len(value), 1)), 1.0) if isinstance(value, str) else ONE
            case tree.Param(name):
                return of_value(self.parameters.get(name))
            case tree.Var(name):
                return self.sizes.get(name, ONE)
            case tree.Prop():
                self.size(one.of)
                return PROPERTY
            case tree.Call():
                return self._call(one)
            case tree.ListOf(items):
                return (float(max(len(items), 1)), max((total(self.size(item)) for item in items), default=1.0))
            case tree.Slice(of, _, stop):
                count, each = self.size(of)
                most = stop.value if isinstance(stop, tree.Const) and type(stop.value) is int else -1
                return (min(count, float(most)) if most >= 0 else count, each)
            case tree.Case():
                return largest([self.size(part) for part in parts(one)])
            case tree.Index():
                self.size(one.at)
                return (self.size(one.of)[1], 1.0)
            case tree.MapOf() | tree.MapProjection():
                sizes = [self.size(part) for part in parts(one)]
                return (20.0 + sum(total(size) for size in sizes), 1.0)
            case tree.Binary("+", left, right):
                first, second = self.size(left), self.size(right)
                self._reads([first, second])
                return (first[0] + second[0], max(first[1], second[1]))
            case tree.Binary("=~", left, right):
                pattern = given(right, self.parameters)
                self._spend(regexes.trials(str(pattern), total(self.size(left))) / _A_STEP)
                return ONE
            case tree.ListComprehension():
                return self._list(one.source, one.variable, one.where, one.result)
            case tree.Quantifier():
                self._list(one.source, one.variable, one.where, None)
                return ONE
            case tree.Reduce():
                return self._reduce(one)
            case tree.PatternComprehension(pattern, where, result):
                found: list[Size] = []

                def run(inner: _Estimate) -> None:
                    inner._match((pattern,), where)
                    found.append(inner.size(result))

                inner = self._inside(run)
                self._takes(inner.work)
                return (inner.rows, total(found[0]) if found else 1.0)
            case tree.PatternPredicate(pattern):
                self._inside(lambda inner: inner._match((pattern,), None))
                return ONE
            case tree.Exists(query):
                self._inside(lambda inner: inner.query(query))
                return ONE
            case _:
                self._reads([self.size(part) for part in parts(one)])
                return ONE

    def _call(self, call: tree.Call) -> Size:
        if call.name == "range":  # looks at its arguments itself: twice in each of many would take for ever
            return (length_of_range(call, self.parameters, self.limits, lambda part: self.size(part)[0]), 1.0)
        sizes = [self.size(argument) for argument in call.arguments]
        self._reads(sizes)
        if call.name == "collect":  # as many as there are rows, though together no larger than what NODES are
            count = min(self.rows, COLLECTED)
            return (count, total(sizes[0]) * min(1.0, NODES / count))
        if call.name == "split":
            return (total(sizes[0]), 1.0)
        if call.name == "replace":
            return (total(sizes[0]) * max(1.0, total(sizes[2])), 1.0)
        if call.name in ("head", "last"):
            return (sizes[0][1], 1.0)
        if call.name in _LIKE_ARGUMENT:
            return largest(sizes)
        return _FIXED.get(call.name, ONE)

    def _list(self, source: tree.Expr, variable: str, where: tree.Expr | None, result: tree.Expr | None) -> Size:
        count, each = self.size(source)
        found: list[Size] = [(each, 1.0)]

        def run(inner: _Estimate) -> None:
            inner.sizes[variable] = (each, 1.0)
            inner.rows = max(count, 1.0)
            inner.work = inner.rows
            for part in (where, result):
                if part is not None:
                    found.append(inner.size(part))

        self._takes(self._inside(run).work)
        return (count, total(found[-1]) if result is not None else each)

    def _reduce(self, one: tree.Reduce) -> Size:
        """A step that holds what it had before twice doubles it each time. Looked at twice, so not at any depth."""
        if self.reduces >= self.limits.reduces:
            raise GateRefusal(
                "depth", f"reduce() stands in more than {self.limits.reduces} others.", "Use UNWIND and sum()."
            )
        count, each = self.size(one.source)
        start = total(self.size(one.start))

        def step(before: float) -> float:
            inner = self._another(self.sizes | {one.accumulator: (before, 1.0), one.variable: (each, 1.0)})
            inner.reduces += 1
            size = total(inner._size(one.step))
            works.append(inner.work)
            return size

        works: list[float] = []
        small, large = step(1.0), step(1001.0)
        steps = count * (1.0 + max(works))
        self._spend(steps)
        growth = (large - small) / 1000.0
        if growth > _GROWS and count > _FEW_TIMES:
            return (float("inf"), 1.0)
        return (start * max(1.0, growth) ** min(count, _FEW_TIMES) + count * small, 1.0)
