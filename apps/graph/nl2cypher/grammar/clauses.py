"""What is said of a noun: relative clauses, participles, prepositions, conditions."""

from collections.abc import Iterator
from dataclasses import replace

from apps.graph.nl2cypher.grammar import conditions, roads
from apps.graph.nl2cypher.grammar.applying import linked, with_test, with_values
from apps.graph.nl2cypher.grammar.frames import Quantity, Test, Thing
from apps.graph.nl2cypher.grammar.reader import Found, Reader

_PLACES = frozenset(("at", "in", "within", "located in", "located at"))
"""Tasks at a name are those of people who work there; tasks of a name are a person's."""
_QUANTITIES: dict[str, Quantity] = {"GT": ">", "GE": ">=", "LT": "<", "LE": "<=", "EQ": "="}


def modifiers(read: Reader, thing: Thing, at: int) -> Found:
    """Each thing that one more phrase from here on makes of this one."""
    for start, negated in _openings(read, at):
        yield from _values(read, thing, start, negated)
        yield from _verbs(read, thing, start, negated)
        yield from _agents(read, thing, start)
        yield from conditions.compared(read, thing, start, negated)
        yield from conditions.moments(read, thing, start, negated)
        yield from conditions.having(read, thing, start, negated)
        yield from _having(read, thing, start, negated)
        yield from _being(read, thing, start, negated)
        if not negated:
            yield from _whose(read, thing, start)
            yield from _prepositions(read, thing, start)
            yield from conditions.whose(read, thing, start)
            yield from conditions.texts(read, thing, start)


def quantified(read: Reader, at: int) -> Iterator[tuple[Thing, Quantity, int, int]]:
    """``5 tasks``, ``more than 5 tasks``, ``no tasks``, ``tasks``: (thing, quantity, number, end)."""
    for _, start in read.take(at, "NO"):
        for thing, end in read.things(start):
            yield thing, "none", 0, end
    for word, start in read.take(at, *_QUANTITIES):
        for number, after in read.take(start, "NUM"):
            if number.length == 1 and isinstance(number.value.value, int):
                for thing, end in read.things(after):
                    yield thing, _QUANTITIES[word.kind], number.value.value, end
    for number, after in read.take(at, "NUM"):
        if number.length == 1 and isinstance(number.value.value, int):
            for start, quantity in [(after, "="), *((end, ">=") for end in _or_more(read, after))]:
                for thing, end in read.things(start):
                    yield thing, quantity, number.value.value, end  # type: ignore[misc]
    for thing, end in read.things(at):
        yield thing, "some", 0, end


def _or_more(read: Reader, at: int) -> Iterator[int]:
    for _, start in read.take(at, "OR"):
        for word, end in read.take(start, "WORD"):
            if word.text == "more":
                yield end


def _openings(read: Reader, at: int) -> list[tuple[int, bool]]:
    """Where the clause goes on after ``that``, ``are``, ``did``, ``have been``, and whether it was negated."""
    found: dict[tuple[int, bool], None] = {}
    for that in [at, *read.after(at, "THAT")]:
        for aux in [that, *read.after(that, "BE", "DO", "HAVE")]:
            there = [end for word, end in read.take(aux, "THERE") if word.text == "there" and aux != that]
            for been in [aux, *there, *read.after(aux, "BE")]:  # "how many files are there larger than 1 MB"
                found[(been, False)] = None
                for _, start in read.take(been, "NOT"):
                    for again in read.after(start, "BE", "HAVE"):
                        found[(again, True)] = None
    return list(found)


def _values(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    for start in read.after(at, "IN", "AT", "OF"):
        yield from _valued(read, thing, start, negated, place=start != at and read.starts(at, "IN", "AT"))
    for _, start in read.take(at, "WITH"):
        for made, end in _valued(read, thing, start, negated, place=False):
            if read.starts(end - 1, "STATEWORD"):  # "with failed status"
                yield made, end


def _being(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    """``(tasks that) are blast tasks``, ``(jobs) were run``, ``(tasks) other than completed``."""
    if at and read.starts(at - 1, "BE") and not negated:
        for other, end in read.things(at):
            if other.label == thing.label and not other.named and thing.kind in (None, other.kind):
                yield replace(
                    thing, kind=other.kind or thing.kind, tests=(*thing.tests, *other.tests),
                    links=(*thing.links, *other.links), role=thing.role or other.role,
                ), end  # fmt: skip
        if thing.label == "Task":
            for _, end in read.take(at, "BEGUN"):
                yield thing, end  # every task was run
    for tag, end in read.take(at, "ADJ"):
        for made in read.attempt(end, with_test, thing, tag.value[0], Test(*tag.value)) if not negated else ():
            yield made, end
    for _, start in read.take(at, "NE"):
        yield from _valued(read, thing, start, not negated, place=False)


def _whose(read: Reader, thing: Thing, at: int) -> Found:
    """``(users) whose tasks failed``, ``whose institution is in Italy``."""
    for _, start in read.take(at, "WHOSE"):
        for target, end in read.things(start):
            if not target.bare:
                for made in read.attempt(end, linked, thing, target, None):
                    yield made, end


def _valued(read: Reader, thing: Thing, at: int, negated: bool, *, place: bool, also_nouns: bool = False) -> Found:
    if read.starts(at, "NOUN") and not also_nouns:
        return  # "tasks that have proteins" does not ask for tasks on proteins
    for values, end in read.values(at):
        for made in read.attempt(end, with_values, thing, values, negated=negated, place=place):
            for last in read.after(end, "STATEWORD"):
                yield made, last


def _verbs(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    for tag, after in read.take(at, "VERB"):
        verb = "WORK" if tag.value == "EMPLOY" else tag.value
        if tag.value == "EMPLOY":
            if thing.label == "Institution":
                yield from _link_to(read, thing, verb, after, negated, agent="target")
            continue
        if roads.may_be_done(thing.label, verb) and verb != "WORK":
            for by, start in read.take(after, "BY", "AT", "ASINPUT"):
                if by.kind == "BY" and _is_group(read, start):
                    noun = read.lattice.pieces[start].word
                    read.object_to(start + 1, f"Say by which {noun}, by a {noun}, or per {noun}.")
                    continue
                yield from _link_to(read, thing, verb, start, negated, agent="target")
                if verb == "RUN" and by.text in _PLACES:
                    yield from _name_as(read, thing, start, "Institution", None, negated)
                elif verb == "RUN":
                    yield from _name_as(read, thing, start, "User", verb, negated)
                for name, end in read.take(start, "NAME", "QUOTED") if verb != "RUN" else ():
                    read.object_to(end, f"Say what {name.text} is: 'user {name.text}' or 'task {name.text}'.")
            for end in read.after(after, "ASINPUT") if verb == "READ" else [after] if negated else []:
                if end != after or negated:
                    target = Thing("Task", "task")
                    for made in read.attempt(end, linked, thing, target, verb, "none" if negated else "some"):
                        yield made, end
        if verb == "READ" and thing.label != "File":  # "experiments that used RNA-seq"
            yield from _valued(read, thing, after, negated, place=False)
            for name, end in read.take(after, "PROP"):  # "tasks that used version 2.16.0"
                yield from conditions.condition(read, thing, name, end, negated)
        if roads.may_do(thing.label, verb):
            if verb == "WORK":
                yield from _name_as(read, thing, after, "Institution", verb, negated)
            yield from _link_to(read, thing, verb, after, negated, agent="thing")
            if verb == "WORK":
                for start in read.after(after, "ASWHAT"):
                    yield from _valued(read, thing, start, negated, place=True, also_nouns=start != after)
        elif not roads.may_be_done(thing.label, verb):
            read.objections.append((after, f"A {thing.schema_name} does not {roads.VERB_WORDS[verb]} anything here."))


def _link_to(read: Reader, thing: Thing, verb: str, at: int, negated: bool, agent: str) -> Found:
    for target, quantity, number, end in quantified(read, at):
        if negated:
            if quantity != "some":
                continue
            quantity = "none"
        subject, patient = (thing, target) if agent == "thing" else (target, thing)
        if verb == "WORK":
            subject, patient = (thing, target) if thing.label == "User" else (target, thing)
        if not roads.may_do(subject.label, verb) or not roads.may_be_done(patient.label, verb):
            read.object_to(end, _no_deed(subject, verb, patient))
            continue
        for made in read.attempt(end, linked, thing, target, verb, quantity, number):
            yield made, end


def _is_group(read: Reader, at: int) -> bool:
    """Whether a bare singular noun stands here, without an article, a name or anything said of it."""
    things = read.things(at)
    bare = all(thing.bare and thing.kind is None and not thing.plural for thing, _ in things)
    return bool(things) and bare and not read.lattice.pieces[at].indefinite


def _no_deed(subject: Thing, verb: str, patient: Thing) -> str:
    return f"The graph does not say that a {subject.label} {roads.VERB_WORDS[verb]}s a {patient.label}."


def _name_as(read: Reader, thing: Thing, at: int, label: str, verb: str | None, negated: bool) -> Found:
    """A name without a noun, where the verb or the preposition says what it is the name of."""
    for tag, end in read.take(at, "QUOTED", "NAME"):
        if tag.kind == "NAME" and _begins_with_noun(read, at, label):
            continue  # "user Anna Rossi": the noun is not of the name
        target = Thing(label, label.lower(), tests=(Test("name", "named", tag.text),), named=True, plural=False)
        for made in read.attempt(end, linked, thing, target, verb, "none" if negated else "some"):
            yield made, end


def _unspoken(read: Reader, thing: Thing, at: int) -> list[tuple[Thing, int]]:
    """A bare name that did something with a task can only be a user's."""
    if thing.label != "Task":
        return []
    return [
        (Thing("User", "user", tests=(Test("name", "named", tag.text),), named=True, plural=False), end)
        for tag, end in read.take(at, "QUOTED", "NAME")
    ]


def _begins_with_noun(read: Reader, at: int, label: str) -> bool:
    """Whether the words begin with the label's own noun, and go on with more than ``of``."""
    return any(
        tag.value.label == label and tag.value.test is None and not read.starts(end, "OF")
        for tag, end in read.take(at, "NOUN")
    )


def _agents(read: Reader, thing: Thing, at: int) -> Found:
    """``(files that) user X produced``, ``(files) does task X have``: the thing is what was done or is had."""
    agents = [] if read.starts(at, "THAT") else [*read.things(at), *_unspoken(read, thing, at)]
    nobody = [one for _, start in read.take(at, "NO") for one in read.things(start)]  # "(files that) no task read"
    for agent, after in [*agents, *nobody]:
        if at and read.starts(at - 1, "DO"):
            for _, end in read.take(after, "HAVE"):
                for made in read.attempt(end, linked, thing, agent, None):
                    yield made, end
        for start in dict.fromkeys([after, *(end for _, end in read.take(after, "NOT"))]):
            for tag, end in read.take(start, "VERB"):
                verb = str(tag.value)
                if verb == "EMPLOY":
                    continue
                if not roads.may_do(agent.label, verb) or not roads.may_be_done(thing.label, verb):
                    read.object_to(end, _no_deed(agent, verb, thing))
                    continue
                quantity: Quantity = "none" if start != after or (agent, after) in nobody else "some"
                for made in read.attempt(end, linked, thing, agent, verb, quantity):
                    yield made, end


def _having(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    """``with``, ``having``, ``without`` something of another label."""
    for word, start in read.take(at, "WITH", "HAVE", "WITHOUT"):
        for target, quantity, number, end in quantified(read, start):
            nothing = negated or word.kind == "WITHOUT"
            if nothing and quantity != "some":
                continue
            wanted: Quantity = "none" if nothing else quantity
            for made in read.attempt(end, linked, thing, target, None, wanted, number):
                yield made, end
    if at and read.starts(at - 1, "HAVE", "DO", "NOT"):
        # "(users that) have [not] ... more than 5 tasks": the auxiliary was taken by the opening
        for target, quantity, number, end in quantified(read, at):
            if negated and quantity != "some":
                continue
            wanted = "none" if negated else quantity
            if read.starts(at - 1, "HAVE"):
                for made in read.attempt(end, linked, thing, target, None, wanted, number):
                    yield made, end


def _prepositions(read: Reader, thing: Thing, at: int) -> Found:
    """``of``, ``for``, ``from``, ``at``, ``in``, and ``by`` where only one relationship can be meant."""
    label = "Institution" if thing.label == "User" else "User" if thing.label == "Task" else None
    of_property = at > 0 and any(end == at for _, end in read.take(at - 1, "PROP"))  # "with email at example.org"
    for word, start in read.take(at, "OF", "IN", "AT"):
        owner = "Institution" if word.text in _PLACES and thing.label == "Task" else label
        if owner is not None and not of_property and word.text != "on":
            yield from _name_as(read, thing, start, owner, None, negated=False)
        for target, end in read.things(start):
            for made in read.attempt(end, linked, thing, target, None, "some", 0):
                yield made, end
    for _, start in read.take(at, "BY"):
        if _is_group(read, start):
            continue  # "tasks by user" asks for groups
        if thing.label != "Task":
            for target, end in read.things(start):
                read.objections.append((end, f"Say whether {target.noun}s read or wrote the {thing.noun}s."))
            continue
        yield from _link_to(read, thing, "RUN", start, negated=False, agent="target")
        yield from _name_as(read, thing, start, "User", "RUN", negated=False)
