"""Things to MATCH clauses: nodes, conditions as expressions, links as paths. Values become parameters."""

from dataclasses import replace

from apps.graph import schema
from apps.graph.cypher import tree
from apps.graph.nl2cypher.grammar.applying import linked
from apps.graph.nl2cypher.grammar.frames import Hop, Link, Scalar, Test, Thing
from apps.graph.nl2cypher.types import Parameters

_CALLED_BY = ("name", "symbol", "title", "doi", "user_name", "firstName", "lastName", "user_filename")


class Matching:
    """One query's clauses so far. ``joined``: rows may hold the same node more than once."""

    def __init__(self) -> None:
        self.clauses: list[tree.Clause] = []
        self.parameters: Parameters = {}
        self.joined = False
        self.at_end: dict[tuple[Hop, ...], str] = {}
        self._names: set[str] = set()

    def name(self, wished: str) -> str:
        """A variable that is not taken."""
        found = next(one for one in (wished, *(f"{wished}{n}" for n in range(2, 99))) if one not in self._names)
        self._names.add(found)
        return found

    def variable_for(self, label: str) -> str:
        return self.name(label[0].lower())

    def value(self, wished: str, value: Scalar | tuple[Scalar, ...] | None) -> tree.Param:
        """A parameter with the value; the same one for the same value."""
        kept = list(value) if isinstance(value, tuple) else value
        wished = wished.replace("firstName", "first_name").replace("lastName", "last_name")
        for name in (wished, *(f"{wished}_{n}" for n in range(2, 99))):
            if name not in self.parameters:
                self.parameters[name] = kept
            if self.parameters[name] == kept and type(self.parameters[name]) is type(kept):
                return tree.Param(name)
        raise AssertionError("a question holds fewer values than that")

    def match(self, thing: Thing, keep: tuple[str, ...] = ()) -> str:
        """Clauses for the thing with all that is said of it; its variable. ``keep``: variables to carry along."""
        thing = settled(thing)
        variable = self.variable_for(thing.label)
        somewhere = [link for link in thing.links if link.quantity == "some"]
        path = tree.Path((node(thing, variable),))
        wheres = self.conditions(thing, variable, of_links=False)
        if somewhere:
            path, more = self._path(path, somewhere[0])
            wheres += more
        self.clauses.append(tree.Match((path,), all_of(wheres)))
        for link in somewhere[1:]:
            path, more = self._path(tree.Path((tree.Node(variable),)), link)
            self.clauses.append(tree.Match((path,), all_of(more)))
        self.joined = self.joined or bool(somewhere)
        for link in thing.links:
            if link.quantity not in ("some", "none"):
                self._counted(variable, link, keep)
        return variable

    def conditions(self, thing: Thing, variable: str, *, of_links: bool = True) -> list[tree.Expr]:
        """Everything that is true of the node alone. ``of_links``: also that its links are there."""
        found = [self.test(one, tree.Var(variable), thing.schema_name) for one in thing.tests]
        for link in thing.links:
            if link.quantity == "none" or of_links:
                found.append(self._linked(variable, link))
        return found

    def test(self, test: Test, of: tree.Expr, schema_name: str) -> tree.Expr:
        """The condition as an expression."""
        if test.operator == "named":
            return self._named(str(test.value), of, schema_name)
        own = tree.Prop(of, test.property)
        match test.operator:
            case "missing" | "present":
                return tree.IsNull(own, negated=test.operator == "present")
            case "contains" | "starts" | "ends":
                words = {"contains": "CONTAINS", "starts": "STARTS WITH", "ends": "ENDS WITH"}
                value = self.value(test.property, str(test.value).lower())
                return tree.Binary(words[test.operator], _lower(own), value)  # type: ignore[arg-type]
            case "has" | "has not":
                inside = tree.Binary("IN", self.value(test.property, test.value), own)
                return inside if test.operator == "has" else tree.Unary("NOT", inside)
            case "in" | "not in":
                inside = tree.Binary("IN", own, self.value(test.property, test.value))
                return inside if test.operator == "in" else tree.Unary("NOT", inside)
            case "from to":
                start, end = (
                    self.value(f"{test.property}_from", test.value),
                    self.value(f"{test.property}_to", test.upper),
                )
                return tree.Binary("AND", tree.Compare((own, start), (">=",)), tree.Compare((own, end), ("<",)))
        listed = _listed(schema_name, test.property)
        if isinstance(test.value, str) and not listed and test.operator in ("=", "<>"):
            return tree.Compare((_lower(own), self.value(test.property, test.value.lower())), (test.operator,))
        return tree.Compare((own, self.value(test.property, test.value)), (test.operator,))  # type: ignore[arg-type]

    def _named(self, name: str, of: tree.Expr, schema_name: str) -> tree.Expr:
        """Whatever people call such a node by: its key, its name; of users also first and last name."""
        label = schema.label_named(schema_name)
        value = self.value("name", name.lower())
        if label.label == "User" and " " in name:
            whole = tree.Binary("+", tree.Prop(of, "firstName"), tree.Const(" "))
            return tree.Compare((_lower(tree.Binary("+", whole, tree.Prop(of, "lastName"))), value), ("=",))
        called = [
            label.key,
            *(one.name for one in label.properties if one.name in _CALLED_BY and one.name != label.key),
        ]
        if label.label == "User" and "@" in name:
            called = ["email"]
        if name.isdigit():
            called = [label.key]
        return any_of([tree.Compare((_lower(tree.Prop(of, one)), value), ("=",)) for one in called])

    def _path(self, path: tree.Path, link: Link) -> tuple[tree.Path, list[tree.Expr]]:
        """The path with the link's hops after it, and what is true at its end."""
        end = self.variable_for(link.target.label)
        self.at_end.setdefault(link.hops, end)
        link = replace(link, target=settled(link.target))
        path, wheres = self._walked(path, link, end)
        further = [one for one in link.target.links if one.quantity == "some"]
        wheres += self.conditions(link.target, end, of_links=False)
        for number, one in enumerate(further):
            if number == 0:
                path, more = self._path(path, one)
                wheres += more
            else:
                wheres.append(self._linked(end, one))
        wheres += [self._often(end, one) for one in link.target.links if one.quantity not in ("some", "none")]
        return path, wheres

    def _walked(self, path: tree.Path, link: Link, end: str) -> tuple[tree.Path, list[tree.Expr]]:
        rels, nodes, wheres = list(path.rels), list(path.nodes), []
        for number, hop in enumerate(link.hops):
            edge = None
            if number == 0 and link.edge_tests:
                edge = self.name("w")
                wheres = [self.test(one, tree.Var(edge), "") for one in link.edge_tests]
            rels.append(rel(hop, edge))
            is_last = number == len(link.hops) - 1
            nodes.append(node(link.target, end) if is_last else tree.Node(labels=(hop.label,)))
        return tree.Path(tuple(nodes), tuple(rels)), wheres

    def _linked(self, variable: str, link: Link) -> tree.Expr:
        """That there is such a link, or that there is none."""
        if link.quantity not in ("some", "none"):
            return self._often(variable, link)
        end = self.variable_for(link.target.label)
        path, wheres = self._walked(tree.Path((tree.Node(variable),)), link, end)
        wheres += self.conditions(settled(link.target), end)
        query = tree.Query((tree.Branch((tree.Match((path,), all_of(wheres)),)),))
        found = tree.Exists(query)
        return tree.Unary("NOT", found) if link.quantity == "none" else found

    def _often(self, variable: str, link: Link) -> tree.Expr:
        """How often there is such a link, where no clause of its own can count."""
        end = self.variable_for(link.target.label)
        path, wheres = self._walked(tree.Path((tree.Node(variable),)), link, end)
        wheres += self.conditions(settled(link.target), end)
        listed = tree.PatternComprehension(path, all_of(wheres), tree.Const(1))
        operator = link.quantity if link.quantity not in ("some", "none") else ">="
        return tree.Compare((tree.Call("size", (listed,)), self.value("number", link.number)), (operator,))  # type: ignore[arg-type]

    def _counted(self, variable: str, link: Link, keep: tuple[str, ...]) -> None:
        """OPTIONAL MATCH and count, so that none counts as nought."""
        end = self.variable_for(link.target.label)
        path, wheres = self._walked(tree.Path((tree.Node(variable),)), link, end)
        wheres += self.conditions(settled(link.target), end)
        self.clauses.append(tree.Match((path,), all_of(wheres), optional=True))
        number = self.name(f"{link.target.label.lower()}_count")
        carried = [tree.Column(tree.Var(one)) for one in (variable, *keep)]
        counted = tree.Column(tree.Call("count", (tree.Var(end),), distinct=True), number)
        enough = tree.Compare((tree.Var(number), self.value("number", link.number)), (link.quantity,))  # type: ignore[arg-type]
        self.clauses.append(tree.With(tree.Projection((*carried, counted)), enough))
        self.joined = False


def settled(thing: Thing) -> Thing:
    """A file that is an input or output of nothing that the question names, is one of some task."""
    if thing.role is None:
        return thing
    return linked(thing, Thing("Task", "task"), None)


def node(thing: Thing, variable: str | None) -> tree.Node:
    return tree.Node(variable, (thing.label, thing.kind) if thing.kind else (thing.label,))


def rel(hop: Hop, variable: str | None = None) -> tree.Rel:
    direction = "both" if hop.forward is None else "out" if hop.forward else "in"
    return tree.Rel(direction, variable, hop.types)  # type: ignore[arg-type]


def all_of(conditions: list[tree.Expr]) -> tree.Expr | None:
    found: tree.Expr | None = None
    for one in conditions:
        found = one if found is None else tree.Binary("AND", found, one)
    return found


def any_of(conditions: list[tree.Expr]) -> tree.Expr:
    found = conditions[0]
    for one in conditions[1:]:
        found = tree.Binary("OR", found, one)
    return found


def _lower(of: tree.Expr) -> tree.Call:
    return tree.Call("toLower", (of,))


def _listed(schema_name: str, name: str) -> bool:
    """Whether the schema lists the property's values, so that their spelling is known."""
    properties = (
        schema.label_named(schema_name).properties if schema_name else schema.relationship_named("WORKS_AT").properties
    )
    return any(one.name == name and one.values for one in properties)
