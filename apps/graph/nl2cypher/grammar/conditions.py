"""Conditions on properties: with size above 10 MB, whose email is missing, started in 2024, named X."""

from collections.abc import Iterator
from dataclasses import replace

from apps.graph import schema
from apps.graph.nl2cypher.grammar import applying
from apps.graph.nl2cypher.grammar.applying import Objection, with_test
from apps.graph.nl2cypher.grammar.frames import Operator, Test, Thing
from apps.graph.nl2cypher.grammar.lattice import Period, Tag
from apps.graph.nl2cypher.grammar.lexicon import known_words, properties
from apps.graph.nl2cypher.grammar.reader import Found, Reader
from apps.graph.nl2cypher.grammar.spelling import forms

_SIGNS: dict[str, Operator] = {"GT": ">", "GE": ">=", "LT": "<", "LE": "<=", "EQ": "=", "NE": "<>"}
_OPPOSITE: dict[Operator, Operator] = {">": "<=", ">=": "<", "<": ">=", "<=": ">", "=": "<>", "<>": "=", "in": "not in",
                                       "has": "has not", "missing": "present", "present": "missing"}  # fmt: skip
_OF_COMPARATIVE = {"larger": "size", "bigger": "size", "smaller": "size", "longer": "duration_s",
                   "shorter": "duration_s"}  # fmt: skip
_OF_UNIT = {"bytes": "size", "seconds": "duration_s"}
_DEEDS = {"BEGUN": "Task", "PUBLISHED": "Publication", "MADE": "Experiment", "FOUND": "Result"}
_TEXT_KINDS = ("QUOTED", "NAME", "WORD")


def having(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    """``with``, ``having``, ``without``, ``missing`` a property, and what it is."""
    for word, start in read.take(at, "WITH", "HAVE", "WITHOUT", "MISSING"):
        yield from _possessed(read, thing, start, negated, word.kind)
    if at and read.starts(at - 1, "HAVE"):
        yield from _possessed(read, thing, at, negated, "HAVE")


def _possessed(read: Reader, thing: Thing, at: int, negated: bool, word: str) -> Found:
    lacking = word in ("WITHOUT", "MISSING")
    starts = [known for no in read.after(at, "NO", "MISSING", "ANY") for known in read.after(no, "PRESENT")]
    for no in dict.fromkeys(starts):
        absent = lacking or read.starts(at, "NO", "MISSING")
        for tag, end in read.take(no, "PROP"):
            test = Test(str(tag.value), "missing" if absent != negated else "present")
            yield from _made(read, thing, end, tag, test)
            if not absent:
                yield from condition(read, thing, tag, end, negated)
    for text, inside in _mentioned(read, at) if word in ("WITH", "HAVE") and not negated else ():
        for _, in_ in read.take(inside, "IN"):  # "with 'barcoding' in the title", "which have kinase in their name"
            for start in read.after(in_, "THEIR"):
                for tag, end in read.take(start, "PROP"):
                    yield from _made(read, thing, end, tag, Test(str(tag.value), "contains", text))
    if not lacking:
        yield from _counted(read, thing, at, negated)


def whose(read: Reader, thing: Thing, at: int) -> Found:
    """``whose size is above ...``, ``of type university``, ``on chromosome 17``, or the property alone."""
    for _, start in read.take(at, "OF"):
        yield from _counted(read, thing, start, negated=False)  # "of more than 6 steps"
        yield from _compared(read, thing, start, negated=False)  # "of more than 1 MB"
    for _, start in read.take(at, "IN"):
        for word, after in read.take(start, "WORD"):
            for tag, end in read.take(after, "PROP"):  # "on the X chromosome"
                if any(one.name == tag.value and word.text.upper() in one.values for _, one in properties()):
                    yield from _made(read, thing, end, tag, Test(str(tag.value), "=", word.text))
    for start in [*(end for _, end in read.take(at, "WHOSE", "OF", "IN", "AT")), at]:
        for tag, after in read.take(start, "PROP"):
            yield from condition(read, thing, tag, after, negated=False)


def _counted(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    """``more than 100 sequences``, ``5 steps``: the property is itself a number of something."""
    for word, start in [*read.take(at, *_SIGNS), *([(None, at)])]:
        for number, after in read.take(start, "NUM"):
            for tag, end in read.take(after, "PROP"):
                operator: Operator = _SIGNS[word.kind] if word is not None else "="
                test = Test(str(tag.value), _turned(operator, negated), number.value.value)
                if any(one.name == tag.value and one.type in applying.NUMBERS for _, one in properties()):
                    yield from _made(read, thing, end, tag, test)


def compared(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    """``larger than 10 MB``, ``over 2 hours``: the unit or the word says of which property."""
    for took in read.after(at, "TOOK") if thing.label == "Task" else [at]:
        yield from _compared(read, thing, took, negated)
        for word, start in read.take(took, "OF") if took != at else ():
            if word.text == "for":  # "that ran for more than 2 hours"
                yield from _compared(read, thing, start, negated)
    for _, start in read.take(at, "BETWEEN"):
        for low, _ in read.take(start, "NUM"):
            name = _OF_UNIT.get(low.value.unit or "")
            if name is not None and not negated:
                yield from _between(read, thing, Tag("PROP", name, 0, name), at)


def _compared(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    for word, start in read.take(at, "GT", "GE", "LT", "LE"):
        for number, end in read.take(start, "NUM"):
            name = _OF_UNIT.get(number.value.unit or "") or _OF_COMPARATIVE.get(word.text.split()[0])
            if name is not None:
                tag = Tag("PROP", name, 0, name)
                test = Test(name, _turned(_SIGNS[word.kind], negated), number.value.value)
                yield from _made(read, thing, end, tag, test)


def moments(read: Reader, thing: Thing, at: int, negated: bool) -> Found:
    """``started in 2024``, ``before May 2024``, ``between 2020 and 2022``."""
    if negated:
        return
    starts = [at]
    for deed, end in read.take(at, *_DEEDS):
        if thing.label == _DEEDS[deed.kind]:
            starts.append(end)
            for when, after in read.take(end, "PERIOD"):  # "dated 2024"
                for made in read.attempt(after, applying.moment_test, thing, "IN", when.value):
                    yield made, after
    for start in starts:
        for relation, first, last, end in periods(read, start):
            for made in read.attempt(end, applying.moment_test, thing, relation, first, last):
                yield made, end


def periods(read: Reader, at: int) -> Iterator[tuple[str, Period, Period | None, int]]:
    """(relation, period, last period, end)."""
    for word, start in read.take(at, "IN", "ON", "BEFORE", "AFTER", "SINCE", "UNTIL", "BETWEEN"):
        for first, middle in read.take(start, "PERIOD"):
            if word.kind == "BETWEEN" or word.text == "from":
                for _, again in read.take(middle, "AND", "TO", "UNTIL"):
                    for last, end in read.take(again, "PERIOD"):
                        yield "BETWEEN", first.value, last.value, end
            if word.kind != "BETWEEN":
                relation = "SINCE" if word.text == "from" else word.kind
                if word.text == "from" and word.kind == "IN":
                    relation = "IN"
                yield relation, first.value, None, middle
                if word.kind in ("IN", "SINCE"):
                    for _, end in read.take(middle, "ONWARD"):
                        yield "SINCE", first.value, None, end


def texts(read: Reader, thing: Thing, at: int) -> Found:
    """``named X``, ``tagged X``, ``about X``, ``starting with X``, ``containing X`` said of the name."""
    names_end = (at, at - 1) if read.starts(at - 1, "THAT") else (at,)  # "with a symbol that begins with LOC"
    just_named = any(end == there for there in names_end if there > 0 for _, end in read.take(there - 1, "PROP"))
    for word, start in read.take(at, "NAMED", "TAGGED", "ABOUT", "STARTING", "ENDING"):
        if just_named and word.kind != "TAGGED":
            continue  # "with an email ending in .org" is about the email: condition
        for text, end in text_at(read, start):
            name, test = _said(word.kind, text)
            yield from _made(read, thing, end, Tag("PROP", name, 0, name), test)


def text_at(read: Reader, at: int) -> Iterator[tuple[str, int]]:
    """A text that the question gives: quoted, a name, or else the one word that stands here and means nothing."""
    given = list(read.take(at, *_TEXT_KINDS))
    better = [one for one in given if one[0].kind != "WORD"]
    for tag, end in better or given:
        if better or (end == at + 1 and known_words().isdisjoint(forms(tag.text.lower()))):
            yield tag.text, end


def _mentioned(read: Reader, at: int) -> Iterator[tuple[str, int]]:
    """A text that something holds: as given, or a value of the schema as the question spells it."""
    yield from text_at(read, at)
    for _, end in read.take(at, "VAL"):
        yield " ".join(piece.text for piece in read.lattice.pieces[at:end]), end


def _said(kind: str, text: str) -> tuple[str, Test]:
    if kind == "NAMED":
        return "name", Test("name", "named", text)
    if kind == "TAGGED":
        return "tags", Test("tags", "has", text)
    operators: dict[str, Operator] = {"ABOUT": "contains", "STARTING": "starts", "ENDING": "ends"}
    return "name", Test("name", operators[kind], text)


def condition(read: Reader, thing: Thing, tag: Tag, at: int, negated: bool) -> Found:
    """What is said of a property: a comparison, a value, or that it is missing."""
    for be in read.after(at, "BE", "HAVE", "EQ", "THAT"):
        for start in [be, *(end for _, end in read.take(be, "NOT"))]:
            turned = negated != (start != be)
            for word, end in read.take(start, "MISSING", "PRESENT"):
                test = Test(tag.value, "missing" if (word.kind == "MISSING") != turned else "present")
                yield from _made(read, thing, end, tag, test)
            for word, after in read.take(start, *_SIGNS):
                yield from _value(read, thing, tag, after, _turned(_SIGNS[word.kind], turned))
            for word, after in read.take(start, "CONTAIN", "STARTING", "ENDING"):
                operators: dict[str, Operator] = {"CONTAIN": "contains", "STARTING": "starts", "ENDING": "ends"}
                for text, end in _mentioned(read, after) if not turned else ():
                    yield from _made(read, thing, end, tag, Test(tag.value, operators[word.kind], text))
            if not turned:
                yield from _between(read, thing, tag, start)
                yield from _dated(read, thing, tag, start)
            yield from _value(read, thing, tag, start, _turned("=", turned))


def _between(read: Reader, thing: Thing, tag: Tag, at: int) -> Found:
    for _, start in read.take(at, "BETWEEN", "FROMTO"):
        for low, middle in read.take(start, "NUM"):
            for _, again in read.take(middle, "AND", "TO"):
                for high, end in read.take(again, "NUM"):
                    unit = high.value.unit

                    def both(low: Tag = low, high: Tag = high) -> Thing:
                        one = applying.property_on(thing, tag.value)
                        least, most = applying.number_for(one, low.value), applying.number_for(one, high.value)
                        made = with_test(thing, tag.value, Test(tag.value, ">=", least))
                        return with_test(made, tag.value, Test(tag.value, "<=", most))

                    if unit is None or low.value.unit == unit:
                        for made in read.attempt(end, both):
                            yield made, end


def _dated(read: Reader, thing: Thing, tag: Tag, at: int) -> Found:
    for relation, first, last, end in periods(read, at):

        def dated(relation: str = relation, first: Period = first, last: Period | None = last) -> Thing:
            one = applying.property_on(thing, tag.value)
            if one.type not in applying.MOMENTS and not one.name == "year":
                raise Objection(f"{one.name} is no time.")
            return with_test(thing, tag.value, applying.period_test(one, relation, first, last))

        for made in read.attempt(end, dated):
            yield made, end


def _value(read: Reader, thing: Thing, tag: Tag, at: int, operator: Operator) -> Found:
    for values, end in read.values(at):
        several: Operator = "in" if operator == "=" else "not in"
        test = Test(tag.value, operator if len(values) == 1 else several, values[0] if len(values) == 1 else values)
        yield from _made(read, thing, end, tag, test)
    for number, end in read.take(at, "NUM"):
        yield from _made(read, thing, end, tag, Test(tag.value, operator, number.value.value), number)
    for text, end in text_at(read, at) if operator in ("=", "<>") else ():
        yield from _made(read, thing, end, tag, Test(tag.value, operator, text))


def _made(read: Reader, thing: Thing, end: int, tag: Tag, test: Test, number: Tag | None = None) -> Found:
    def make() -> Thing:
        if test.operator == "named":
            return replace(thing, tests=(*thing.tests, test), named=True)
        return with_test(thing, tag.value, _fitting(applying.property_on(thing, tag.value), test, number))

    for made in read.attempt(end, make):
        yield made, end


def _fitting(one: schema.Property, test: Test, number: Tag | None) -> Test:
    """The test with a value of the property's type, spelled as the graph spells it. Objection where none fits."""
    value = test.value
    if test.operator in ("missing", "present"):
        return replace(test, property=one.name)
    if isinstance(value, str) and one.type in (*applying.NUMBERS, *applying.MOMENTS, "boolean"):
        raise Objection(f"{one.name} is no text.")
    if isinstance(value, int | float) and one.type not in applying.NUMBERS:
        if number is None or test.operator not in ("=", "<>"):
            raise Objection(f"{one.name} is no number.")
        value = number.text
    if number is not None and one.type in applying.NUMBERS:
        value = applying.number_for(one, number.value)
    if one.type == "texts":
        operators: dict[Operator, Operator] = {"=": "has", "<>": "has not", "contains": "has", "has": "has"}
        if test.operator not in operators:
            raise Objection(f"{one.name} is a list.")
        return replace(test, property=one.name, operator=operators[test.operator], value=value)
    if test.operator in ("has", "has not"):
        raise Objection(f"{one.name} is no list.")
    if one.values and test.operator in ("=", "<>") and isinstance(value, str):
        listed = {known.lower(): known for known in one.values}
        if value.lower() not in listed:
            raise Objection(f"{one.name} is never {value}; it is one of {', '.join(one.values)}.")
        value = listed[value.lower()]
    if one.values and test.operator in ("in", "not in") and not set(_several(value)) <= set(one.values):
        raise Objection(f"{one.name} is one of {', '.join(one.values)}.")
    return replace(test, property=one.name, value=value)


def _several(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _turned(operator: Operator, negated: bool) -> Operator:
    return _OPPOSITE[operator] if negated else operator
