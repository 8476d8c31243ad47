"""Questions as data, turned into Cypher: names are the schema's, values travel as parameters (R29). Pure.

    Question(label="Task", join="RUNS", group_by=("User.user_name",), metrics=(Metric("count"),))

A property is written ``status``, or with what it belongs to: ``Task.status``, ``RUNS.since``. As a group, a date or
time may have a unit: ``start:month``. What comes out is a text like anybody's: it goes through the gate, which limits
its rows.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from apps.graph import naming
from apps.graph.records import RecordError, checked_value
from apps.graph.schema import KINDS, TYPE_NAMES, Property
from kernel.errors import ValidationError

Operator = Literal["=", "<>", "<", "<=", ">", ">=", "in", "contains", "starts_with", "ends_with", "missing", "present"]
Function = Literal["count", "distinct", "sum", "avg", "min", "max"]
_TEXTUAL: dict[str, str] = {"contains": "CONTAINS", "starts_with": "STARTS WITH", "ends_with": "ENDS WITH"}
_UNITS = {"year": 4, "month": 7, "day": 10}  # characters of an ISO date
_NODE, _OTHER, _REL = "n", "m", "r"


@dataclass(frozen=True, slots=True)
class Condition:
    """``value`` is a list with ``in``, and nothing with missing and present. Texts are compared without regard to case
    by contains, starts_with and ends_with."""

    property: str
    operator: Operator = "="
    value: Any = None


@dataclass(frozen=True, slots=True)
class Metric:
    """``count`` needs no property; ``distinct`` counts different values."""

    function: Function
    property: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Without metrics: the ``columns`` of each row. With them: one row for each group.

    ``join``: a relationship type to the node at its other end. ``percentiles``, of 0 to 100, are those of
    ``percentiles_of`` by nearest rank. ``order``: names of columns; ``-name`` is the largest first.
    """

    label: str
    join: str | None = None
    where: tuple[Condition, ...] = ()
    columns: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    percentiles: tuple[float, ...] = ()
    percentiles_of: str | None = None
    order: tuple[str, ...] = ()


@dataclass(slots=True)
class _Text:
    question: Question
    parameters: dict[str, Any] = field(default_factory=dict)

    def given(self, value: Any) -> str:
        name = f"w{len(self.parameters)}"
        self.parameters[name] = value
        return f"${name}"


@dataclass(frozen=True, slots=True)
class _Column:
    """``expression AS alias``; the alias is a plain name, and no other column's."""

    expression: str
    alias: str


def cypher_of(question: Question) -> tuple[str, dict[str, Any]]:
    """The text and its parameters. ValidationError for names that the schema has not, and values that do not fit."""
    text = _Text(question)
    groups = [_group(question, one) for one in question.group_by]
    if not question.metrics and not question.percentiles:
        columns = [_plain(question, one) for one in question.columns] or groups or [_Column(_NODE, "node")]
        return _finished(question, _matching(text), _distinct(columns)), text.parameters
    if question.columns:
        raise ValidationError("columns are for questions without metrics; use group_by.", code="invalid_question")
    matching = _matching(text)
    if question.percentiles:
        return _with_percentiles(text, matching, groups), text.parameters
    metrics = [_metric(question, one) for one in question.metrics]
    return _finished(question, matching, _distinct([*groups, *metrics])), text.parameters


def _matching(text: _Text) -> str:
    question = text.question
    pattern = f"({_NODE}:{naming.labels_of(question.label)})"
    if question.join is not None:
        type_ = naming.type_of(question.join)
        base = naming.base_of(question.label)
        if base not in (type_.source, type_.target):
            raise ValidationError(
                f"{type_.type} goes from {type_.source} to {type_.target}, not from or to {base}.", code="unknown_name"
            )
        forward = base == type_.source
        other = type_.target if forward else type_.source
        left, right = ("-", "->") if forward else ("<-", "-")
        pattern += f"{left}[{_REL}:{type_.type}]{right}({_OTHER}:{other})"
    conditions = [_condition(text, one) for one in question.where]
    return f"MATCH {pattern}" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def _condition(text: _Text, one: Condition) -> str:
    place, known = _found(text.question, one.property)
    if one.operator in ("missing", "present"):
        return f"{place} IS {'NOT ' if one.operator == 'present' else ''}NULL"
    if one.operator in _TEXTUAL:
        if known.type not in ("text", "date", "time") or not isinstance(one.value, str):
            raise ValidationError(f"{one.operator} compares texts; {known.name} is {known.type}.", code="invalid_value")
        return f"toLower({place}) {_TEXTUAL[one.operator]} {text.given(one.value.lower())}"
    if one.operator == "in":
        if not isinstance(one.value, list) or not one.value:
            raise ValidationError("in takes a list of values.", code="invalid_value")
        return f"{place} IN {text.given([_fitting(known, value) for value in one.value])}"
    if known.type == "texts":
        if one.operator != "=" or not isinstance(one.value, str):
            raise ValidationError(f"{known.name} is a list: = says that a text is in it.", code="invalid_value")
        return f"{text.given(one.value)} IN {place}"
    return f"{place} {one.operator} {text.given(_fitting(known, one.value))}"


def _with_percentiles(text: _Text, matching: str, groups: list[_Column]) -> str:
    """Values in order first; then each group's are picked from by their rank."""
    question = text.question
    if question.percentiles_of is None:
        raise ValidationError("percentiles need the property that they are of.", code="invalid_question")
    place, known = _found(question, question.percentiles_of)
    _require_number(known, "percentiles")
    if any(one.property not in (None, question.percentiles_of) for one in question.metrics):
        raise ValidationError("Beside percentiles, metrics are of the same property.", code="invalid_question")
    keys = [_Column(one.expression, f"g{number}") for number, one in enumerate(groups)]
    names = ", ".join(one.alias for one in keys)
    shown = [_Column(key.alias, group.alias) for key, group in zip(keys, groups, strict=True)]
    counted = [
        _Column(_applied(one.function, None if one.property is None else "v"), _metric(question, one).alias)
        for one in question.metrics
    ]
    kept = [_Column(f"x{number}", one.alias) for number, one in enumerate(counted)]
    ranks = [
        _Column(f"vs[toInteger(ceil({one / 100!r} * size(vs))) - {0 if one / 100 == 0 else 1}]", f"p{_number(one)}")
        for one in question.percentiles
    ]
    first = _listed([*keys, _Column(place, "v")])
    second = _listed([*(_Column(one.expression, f"x{number}") for number, one in enumerate(counted)),
                      _Column("collect(v)", "vs")])  # fmt: skip
    prefix = f"{matching} WITH {first} ORDER BY v WITH {names + ', ' if names else ''}{second}"
    return _finished(question, prefix, _distinct([*shown, *kept, *ranks]))


def _finished(question: Question, before: str, columns: list[_Column]) -> str:
    aliases = [one.alias for one in columns]
    order = []
    for wanted in question.order or _usual_order(question, aliases):
        name = wanted.removeprefix("-")
        if name not in aliases:
            raise ValidationError(f"order names a column: {', '.join(aliases)}.", code="unknown_name")
        order.append(f"{name} DESC" if wanted.startswith("-") else name)
    ordered = f" ORDER BY {', '.join(order)}" if order else ""
    return f"{before} RETURN {_listed(columns)}{ordered}"


def _usual_order(question: Question, aliases: list[str]) -> list[str]:
    """Times as they go; else the largest first, and what is equal by its name."""
    groups = aliases[: len(question.group_by)]
    if not groups or not (question.metrics or question.percentiles):
        return []
    if ":" in question.group_by[0]:
        return groups
    return [f"-{aliases[len(groups)]}", *groups]


def _plain(question: Question, reference: str) -> _Column:
    place, known = _found(question, reference)
    return _Column(place, known.name)


def _group(question: Question, reference: str) -> _Column:
    name, _, unit = reference.partition(":")
    place, known = _found(question, name)
    if not unit:
        return _Column(place, known.name)
    if known.type not in ("date", "time") or unit not in _UNITS:
        raise ValidationError(
            f"{reference[:60]!r} is no group: a date or time takes :year, :month or :day.", code="invalid_question"
        )
    return _Column(f"left({place}, {_UNITS[unit]})", f"{known.name}_{unit}")


def _metric(question: Question, one: Metric) -> _Column:
    if one.property is None:
        if one.function != "count":
            raise ValidationError(f"{one.function} needs a property.", code="invalid_question")
        return _Column("count(*)", "count")
    place, known = _found(question, one.property)
    if one.function in ("sum", "avg"):
        _require_number(known, one.function)
    return _Column(_applied(one.function, place), f"{one.function}_{known.name}")


def _applied(function: Function, place: str | None) -> str:
    if place is None:
        return "count(*)"
    return f"count(DISTINCT {place})" if function == "distinct" else f"{function}({place})"


def _found(question: Question, reference: str) -> tuple[str, Property]:
    """Where the property stands in the text, and what it is."""
    owner, dot, name = reference.rpartition(".")
    if not dot or owner in (question.label, naming.base_of(question.label)):
        return _at(_NODE, naming.property_of(question.label, name))
    if question.join is None:
        raise ValidationError(f"{owner[:60]!r} is not in the question: say join.", code="unknown_name")
    type_ = naming.type_of(question.join)
    if owner in TYPE_NAMES and owner == type_.type:
        known = {one.name: one for one in type_.properties}
        if name not in known:
            raise ValidationError(f"{owner} has no property {name[:60]!r}.", code="unknown_name")
        return _at(_REL, known[name])
    other = type_.target if naming.base_of(question.label) == type_.source else type_.source
    if KINDS.get(owner, owner) != other:
        raise ValidationError(f"{owner[:60]!r} is not in the question, which joins {other}.", code="unknown_name")
    return _at(_OTHER, naming.property_of(owner, name))


def _at(variable: str, known: Property) -> tuple[str, Property]:
    return f"{variable}.{known.name}", known


def _fitting(known: Property, value: Any) -> Any:
    try:
        return checked_value(known, value)
    except RecordError as error:
        raise ValidationError(f"{error}.", code="invalid_value") from error


def _require_number(known: Property, what: str) -> None:
    if known.type not in ("integer", "decimal"):
        raise ValidationError(f"{what} takes numbers; {known.name} is {known.type}.", code="invalid_value")


def _distinct(columns: list[_Column]) -> list[_Column]:
    """Names that stand twice are numbered."""
    seen: dict[str, int] = {}
    named = []
    for one in columns:
        seen[one.alias] = seen.get(one.alias, 0) + 1
        named.append(one if seen[one.alias] == 1 else _Column(one.expression, f"{one.alias}_{seen[one.alias]}"))
    return named


def _listed(columns: list[_Column]) -> str:
    return ", ".join(f"{one.expression} AS {one.alias}" for one in columns)


def _number(value: float) -> str:
    """50, 99_9, 1e_300: part of a name; of two numbers never the same."""
    return repr(value).removesuffix(".0").replace(".", "_").replace("-", "_").replace("+", "")
