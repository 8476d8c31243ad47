"""From what a question means to the query tree that answers it."""

from apps.graph import schema
from apps.graph.cypher import tree
from apps.graph.nl2cypher.grammar import frames
from apps.graph.nl2cypher.grammar.lexicon import property_of
from apps.graph.nl2cypher.grammar.matching import Matching, all_of, node, rel, settled
from apps.graph.nl2cypher.grammar.phrases import name_of
from apps.graph.nl2cypher.types import Parameters

MAX_ROUTE_HOPS = 5


def build(meaning: frames.Meaning) -> tuple[tree.Query, Parameters]:
    """The query and its parameters."""
    matching = Matching()
    match meaning:
        case frames.Listing():
            projection = _listing(matching, meaning)
        case frames.Counting(thing):
            projection = _counting(matching, thing, "count")
        case frames.Existing(thing):
            variable = matching.match(thing)
            found = tree.Compare((_count(variable), tree.Const(0)), (">",))
            projection = tree.Projection((tree.Column(found, "answer"),))
        case frames.Figure():
            projection = _figure(matching, meaning)
        case frames.Groups():
            projection = _groups(matching, meaning)
        case frames.Spread(function, groups):
            _by_node(matching, groups, with_none=True)
            value = tree.Call(function, (tree.Var("count"),))
            projection = tree.Projection((tree.Column(value, f"{_FUNCTION_WORDS[function]}_count"),))
        case frames.Pairs():
            projection = _pairs(matching, meaning)
        case frames.Values():
            projection = _values(matching, meaning)
        case frames.Doubles():
            projection = _doubles(matching, meaning)
        case frames.Route():
            projection = _route(matching, meaning)
    clauses = (*matching.clauses, tree.Return(projection))
    return tree.Query((tree.Branch(clauses),)), matching.parameters


def _count(variable: str, *, distinct: bool = False) -> tree.Call:
    return tree.Call("count", (tree.Var(variable),), distinct=distinct)


def _column(variable: str, name: str) -> tree.Column:
    return tree.Column(tree.Prop(tree.Var(variable), name), name)


def _counting(matching: Matching, thing: frames.Thing, alias: str) -> tree.Projection:
    variable = matching.match(thing)
    return tree.Projection((tree.Column(_count(variable, distinct=matching.joined), alias),))


def _listing(matching: Matching, meaning: frames.Listing) -> tree.Projection:
    thing = meaning.thing
    variable = matching.match(thing)
    name = name_of(thing.schema_name)
    order = None
    if meaning.order is not None:
        own = property_of(thing.schema_name, meaning.order)
        assert own is not None
        order = own.name
        if own.may_miss:
            present = tree.IsNull(tree.Prop(tree.Var(variable), order), negated=True)
            _with(matching, (variable,), present)
    if matching.joined:
        _with(matching, (variable,), distinct=True)
    tested = [one.property for one in thing.tests if one.operator not in ("named", "missing")]
    columns = dict.fromkeys([name, *meaning.columns, *tested, *([order] if order else [])])
    if not meaning.columns:
        columns = dict.fromkeys([name, schema.label_named(thing.label).key, *columns])
    keys = [tree.Order(tree.Var(order), meaning.descending)] if order else []
    keys += [tree.Order(tree.Var(one)) for one in columns if one == name or one == schema.label_named(thing.label).key]
    return tree.Projection(
        tuple(_column(variable, one) for one in columns),
        order=tuple(keys),
        limit=None if meaning.limit is None else tree.Const(meaning.limit),
    )


def _with(
    matching: Matching, names: tuple[str, ...], where: tree.Expr | None = None, *, distinct: bool = False
) -> None:
    projection = tree.Projection(tuple(tree.Column(tree.Var(one)) for one in names), distinct=distinct)
    matching.clauses.append(tree.With(projection, where))


def _figure(matching: Matching, meaning: frames.Figure) -> tree.Projection:
    variable = matching.match(meaning.thing)
    own = property_of(meaning.thing.schema_name, meaning.property)
    assert own is not None
    carried: tuple[str, ...] = (variable,)
    groups: tuple[tree.Column, ...] = ()
    if meaning.key is not None:
        holder = _key_holder(matching, meaning.key, variable)
        groups = _key_columns(matching, meaning.key, holder)
        if holder != variable and not meaning.key.on_edge:
            carried = (variable, holder)
    if matching.joined and not (meaning.key is not None and meaning.key.on_edge):
        _with(matching, carried, distinct=True)
    alias = "count" if meaning.function == "count" else f"{_FUNCTION_WORDS[meaning.function]}_{own.name}"
    value = tree.Call(
        meaning.function, (tree.Prop(tree.Var(variable), own.name),), distinct=meaning.function == "count"
    )
    order = tuple(tree.Order(tree.Var(one.alias or "")) for one in groups)
    return tree.Projection((*groups, tree.Column(value, alias)), order=order)


_FUNCTION_WORDS = {"avg": "average", "sum": "total", "min": "smallest", "max": "largest"}


def _key_holder(matching: Matching, key: frames.Key, variable: str) -> str:
    """The variable whose property is the key: of the thing, of a node at the end of the hops, or the relationship."""
    if not key.hops:
        return variable
    if not key.on_edge and key.hops in matching.at_end:
        return matching.at_end[key.hops]  # the question speaks of it already
    end = matching.variable_for(key.label)
    edge = matching.name("w") if key.on_edge else None
    nodes = [tree.Node(variable), *(tree.Node(labels=(hop.label,)) for hop in key.hops[:-1])]
    nodes.append(tree.Node(end, (key.label, key.kind) if key.kind else (key.label,)))
    rels = tuple(rel(hop, edge if hop is key.hops[-1] else None) for hop in key.hops)
    matching.clauses.append(tree.Match((tree.Path(tuple(nodes), rels),)))
    matching.joined = True
    return edge or end


def _key_columns(matching: Matching, key: frames.Key, holder: str) -> tuple[tree.Column, ...]:
    name = key.property or name_of(key.kind or key.label)
    value: tree.Expr = tree.Prop(tree.Var(holder), name)
    if key.characters is not None:
        _last_where(matching, tree.IsNull(value, negated=True))
        value = tree.Call("substring", (value, tree.Const(0), tree.Const(key.characters)))
        return (tree.Column(value, {4: "year", 7: "month", 10: "day"}[key.characters]),)
    own = property_of(key.kind or key.label, name) if not key.on_edge else None
    if own is not None and own.type == "texts":
        word = matching.name(name.removesuffix("s"))
        matching.clauses.append(tree.Unwind(value, word))
        return (tree.Column(tree.Var(word), word),)
    return (tree.Column(value, name),)


def _last_where(matching: Matching, condition: tree.Expr) -> None:
    last = matching.clauses[-1]
    if isinstance(last, tree.Match):
        wheres = [condition] if last.where is None else [last.where, condition]
        matching.clauses[-1] = tree.Match(last.paths, all_of(wheres), last.optional)
    elif isinstance(last, tree.With):
        wheres = [condition] if last.where is None else [last.where, condition]
        matching.clauses[-1] = tree.With(last.projection, all_of(wheres))


def _groups(matching: Matching, meaning: frames.Groups) -> tree.Projection:
    key = meaning.key
    if key.hops and key.property is None:
        return _by_node(matching, meaning)
    variable = matching.match(meaning.thing)
    holder = _key_holder(matching, key, variable)
    columns = _key_columns(matching, key, holder)
    counted = tree.Column(_count(variable, distinct=matching.joined), "count")
    return _ranked((*columns, counted), meaning)


def _by_node(matching: Matching, meaning: frames.Groups, *, with_none: bool = False) -> tree.Projection:
    """One row a node, nodes of the same name apart; those without any of the things only where the fewest are asked."""
    key = meaning.key
    thing = settled(meaning.thing) if not key.hops else meaning.thing
    links = [one for one in thing.links if one.hops != key.hops or one.quantity != "some"]
    same = [one for one in thing.links if one.hops == key.hops and one.quantity == "some"]
    tests = (*meaning.key_tests, *(test for one in same for test in one.target.tests))
    more = (*meaning.key_links, *(link for one in same for link in one.target.links))
    owner = frames.Thing(key.label, key.label.lower(), key.kind, tests, more)
    holder = matching.match(owner)
    end = matching.variable_for(thing.label)
    inner = frames.Thing(thing.label, thing.noun, thing.kind, thing.tests, tuple(links))
    nodes = [node(inner, end), *(tree.Node(labels=(hop.label,)) for hop in key.hops[:-1]), tree.Node(holder)]
    path = tree.Path(tuple(nodes), tuple(rel(hop) for hop in key.hops))
    where = all_of(matching.conditions(inner, end))
    matching.clauses.append(tree.Match((path,), where, optional=with_none or meaning.descending is False))
    counted = tree.Column(_count(end, distinct=True), "count")
    matching.clauses.append(tree.With(tree.Projection((tree.Column(tree.Var(holder)), counted))))
    name = name_of(key.kind or key.label)
    return _ranked((_column(holder, name), tree.Column(tree.Var("count"), "count")), meaning)


def _ranked(columns: tuple[tree.Column, ...], meaning: frames.Groups) -> tree.Projection:
    first = tree.Order(tree.Var(columns[0].alias or ""))
    keys = (first,) if meaning.descending is None else (tree.Order(tree.Var("count"), meaning.descending), first)
    limit = None if meaning.limit is None else tree.Const(meaning.limit)
    return tree.Projection(columns, order=keys, limit=limit)


def _pairs(matching: Matching, meaning: frames.Pairs) -> tree.Projection:
    link = frames.Link(meaning.hops, meaning.other)
    thing = frames.Thing(
        meaning.thing.label, meaning.thing.noun, meaning.thing.kind, meaning.thing.tests, (link, *meaning.thing.links)
    )
    variable = matching.match(thing)
    other = matching.at_end[meaning.hops]
    names = name_of(thing.schema_name), name_of(meaning.other.schema_name)
    aliases = names if names[0] != names[1] else tuple(f"{one}_{two}" for one, two in zip(
        (thing.label.lower(), meaning.other.label.lower()), names, strict=True))  # fmt: skip
    columns = tuple(
        tree.Column(tree.Prop(tree.Var(of), name), alias)
        for of, name, alias in zip((variable, other), names, aliases, strict=True)
    )
    order = tuple(tree.Order(tree.Var(one)) for one in aliases)
    return tree.Projection(columns, distinct=True, order=order)


def _values(matching: Matching, meaning: frames.Values) -> tree.Projection:
    variable = matching.match(meaning.thing)
    own = property_of(meaning.thing.schema_name, meaning.property)
    assert own is not None
    value: tree.Expr = tree.Prop(tree.Var(variable), own.name)
    _last_where(matching, tree.IsNull(value, negated=True))
    alias = own.name
    if own.type == "texts":
        alias = matching.name(own.name.removesuffix("s"))
        matching.clauses.append(tree.Unwind(value, alias))
        value = tree.Var(alias)
    return tree.Projection((tree.Column(value, alias),), distinct=True, order=(tree.Order(tree.Var(alias)),))


def _doubles(matching: Matching, meaning: frames.Doubles) -> tree.Projection:
    variable = matching.match(meaning.thing)
    own = property_of(meaning.thing.schema_name, meaning.property)
    assert own is not None
    value = tree.Prop(tree.Var(variable), own.name)
    _last_where(matching, tree.IsNull(value, negated=True))
    columns = (tree.Column(value, own.name), tree.Column(_count(variable, distinct=matching.joined), "count"))
    several = tree.Compare((tree.Var("count"), tree.Const(1)), (">",))
    matching.clauses.append(tree.With(tree.Projection(columns), several))
    kept = tuple(tree.Column(tree.Var(one), one) for one in (own.name, "count"))
    return tree.Projection(kept, order=(tree.Order(tree.Var("count"), descending=True), tree.Order(tree.Var(own.name))))


def _route(matching: Matching, meaning: frames.Route) -> tree.Projection:
    """The ends are found first, one of each, so that only one pair of nodes is searched between."""
    found: tuple[str, ...] = ()
    for thing in (meaning.start, meaning.end):
        variable = matching.variable_for(thing.label)
        wheres = all_of(matching.conditions(thing, variable))
        matching.clauses.append(tree.Match((tree.Path((node(thing, variable),)),), wheres))
        found = (*found, variable)
        key = tree.Prop(tree.Var(variable), schema.label_named(thing.label).key)
        columns = tuple(tree.Column(tree.Var(one)) for one in found)
        projection = tree.Projection(columns, order=(tree.Order(key),), limit=tree.Const(1))
        matching.clauses.append(tree.With(projection))
    ends = tuple(tree.Node(one) for one in found)
    between = tree.Rel("both", hops=tree.Hops(1, MAX_ROUTE_HOPS))
    path = tree.Path(ends, (between,), variable="path", shortest="one")
    matching.clauses.append(tree.Match((path,)))
    return tree.Projection((tree.Column(tree.Var("path"), "path"),), limit=tree.Const(1))
