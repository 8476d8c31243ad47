"""What a question was understood as, in words, so that a person sees it when it is not what was meant."""

from apps.graph.nl2cypher.grammar import frames
from apps.graph.nl2cypher.grammar.spelling import plural

_HOPS = {
    ("RUNS", True): "that ran", ("RUNS", False): "run by", ("WORKS_AT", True): "working at",
    ("WORKS_AT", False): "with staff", ("INPUT", True): "read by", ("INPUT", False): "that read",
    ("OUTPUT", True): "that wrote", ("OUTPUT", False): "written by",
}  # fmt: skip
_OPERATORS = {"=": "is", "<>": "is not", "contains": "contains", "starts": "starts with", "ends": "ends with",
              "in": "is one of", "not in": "is none of", "has": "has", "has not": "has not"}  # fmt: skip
_FUNCTIONS = {"avg": "average", "sum": "total", "min": "smallest", "max": "largest", "count": "number of different"}


def described(meaning: frames.Meaning) -> str:
    """One phrase, without a period."""
    match meaning:
        case frames.Listing(thing, columns, order, descending, limit):
            what = f"the {', '.join(columns)} of {_thing(thing)}" if columns else _thing(thing)
            sort = f", sorted by {order}{' from the largest' if descending else ''}" if order else ""
            return f"{what}{sort}{f', the first {limit}' if limit else ''}"
        case frames.Counting(thing):
            return f"the number of {_thing(thing)}"
        case frames.Existing(thing):
            return f"whether there are {_thing(thing)}"
        case frames.Figure(function, name, thing, key):
            return f"the {_FUNCTIONS[function]} {name} of {_thing(thing)}{f' for each {_key(key)}' if key else ''}"
        case frames.Groups(thing, key, descending, limit, tests, links):
            owner = frames.Thing(key.label, _key(key), key.kind, tests, links, plural=False)
            each = f"{_key(key)}{_said(owner)}"
            sort = "" if descending is None else ", the most first" if descending else ", the fewest first"
            how = f" ({plural(thing.noun)} {_way(key.hops)} it)" if len(key.hops) > 1 or _is_either(key.hops) else ""
            return f"the number of {_thing(thing)} for each {each}{how}{sort}{f', the first {limit}' if limit else ''}"
        case frames.Spread(function, groups):
            return f"the {_FUNCTIONS[function]} of {described(groups)}"
        case frames.Pairs(thing, hops, other):
            return f"{_thing(thing)} {_way(hops)} {_thing(other)}, pair by pair"
        case frames.Values(name, thing):
            return f"the different values of {name} of {_thing(thing)}"
        case frames.Doubles(name, thing):
            return f"values of {name} that more than one of the {_thing(thing)} has"
        case frames.Route(start, end):
            return f"the shortest path between {_thing(start)} and {_thing(end)}"


def _is_either(hops: tuple[frames.Hop, ...]) -> bool:
    return any(hop.forward is None for hop in hops)


def _thing(thing: frames.Thing) -> str:
    noun = thing.noun if thing.named else plural(thing.noun) if thing.noun != "who" else "users"
    return f"{noun}{_said(thing)}"


def _said(thing: frames.Thing) -> str:
    parts = [_test(one) for one in thing.tests]
    if thing.role:
        parts.append(f"that a task {'read' if thing.role == 'input' else 'wrote'}")
    links = [_link(one) for one in thing.links]
    return "".join(f" {part}" for part in [*parts, *links[:1], *(f"and {link}" for link in links[1:])])


def _test(test: frames.Test) -> str:
    value = " or ".join(str(one) for one in test.value) if isinstance(test.value, tuple) else test.value
    if test.operator == "named":
        return f"'{value}'"
    if test.operator in ("missing", "present"):
        return f"{'without' if test.operator == 'missing' else 'with'} {test.property}"
    if test.operator == "from to":
        return f"with {test.property} from {value} to before {test.upper}"
    return f"whose {test.property} {_OPERATORS.get(test.operator, test.operator)} {value}"


def _link(link: frames.Link) -> str:
    amount = {"some": "", "none": "no "}.get(link.quantity, f"{link.quantity} {link.number} ")
    edge = "".join(f" ({_test(one)})" for one in link.edge_tests)
    return f"{_way(link.hops)}{edge} {amount}{_thing(link.target)}"


def _way(hops: tuple[frames.Hop, ...]) -> str:
    parts = []
    for number, hop in enumerate(hops):
        word = _HOPS[(hop.types[0], hop.forward)] if hop.forward is not None else "read or written by"
        if hop.forward is None and hop.label == "File":
            word = "that read or wrote"
        parts.append(word if number == len(hops) - 1 else f"{word} {plural(hop.label.lower())}")
    return " ".join(parts)


def _key(key: frames.Key) -> str:
    if key.characters is not None:
        return {4: "year", 7: "month", 10: "day"}[key.characters]
    return key.property or (key.kind or key.label).lower()
