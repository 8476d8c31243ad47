"""Single values of a schema out of what was said: enumerations, strings, numbers, booleans. Nothing is invented: what
has no source is the schema's default, else a placeholder that shows it is one.
"""

import math
from dataclasses import dataclass
from typing import Any

from apps.llm.language import vocabulary, words
from apps.llm.language.intents import CATEGORIES
from apps.llm.providers.demo.digests import shorten
from apps.llm.providers.demo.pattern_text import matching_text
from apps.llm.providers.demo.shapes import Schema, Shapes
from apps.llm.providers.demo.source import Source

MAX_STRING = 4_000
PLACEHOLDERS = {
    "date": "1970-01-01", "date-time": "1970-01-01T00:00:00Z", "time": "00:00:00Z", "duration": "PT0S",
    "email": "unknown@example.invalid", "idn-email": "unknown@example.invalid", "hostname": "example.invalid",
    "idn-hostname": "example.invalid", "ipv4": "0.0.0.0", "ipv6": "::", "uri": "urn:unknown", "iri": "urn:unknown",
    "uri-reference": "unknown", "iri-reference": "unknown", "uri-template": "unknown", "json-pointer": "",
    "regex": "unknown",    "relative-json-pointer": "0", "uuid": "00000000-0000-0000-0000-000000000000",
}  # fmt: skip
_OTHERS = (
    "other",
    "unknown",
    "none",
    "general",
    "misc",
    "neutral",
    "default",
    "any",
    "n/a",
    "altro",
    "medium",
    "normal",
)
_CONFIDENCE = {words.term(word) for word in ("confidence", "score", "probability", "certainty", "confidenza")}
_FIRST_STATES = ("pending", "todo", "to do", "queued", "open", "planned", "not_started", "new", "created")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value, and whether it came from what was said."""

    value: Any
    is_found: bool


def choose(schema: Schema, choices: list[Any], name: str, source: Source) -> Leaf:
    """One of the values that a schema lists."""
    ranked = ranked_choices(schema, choices, name, source)
    if ranked:
        return Leaf(ranked[0], True)
    if "default" in schema and schema["default"] in choices:
        return Leaf(schema["default"], False)
    if None in choices:
        return Leaf(None, False)
    lowered = {str(choice).lower(): choice for choice in reversed(choices)}
    return Leaf(next((lowered[other] for other in _OTHERS if other in lowered), choices[0]), False)


def ranked_choices(schema: Schema, choices: list[Any], name: str, source: Source) -> list[Any]:
    """Those of the values that something said speaks for, the likeliest first."""
    texts = {str(choice).upper(): choice for choice in reversed(choices) if isinstance(choice, str)}
    if len(texts.keys() & set(CATEGORIES)) >= 3:
        return [texts[source.intent.category]] if source.intent.category in texts else []
    if {"language", "lang", "lingua", "locale"} & {word.lower() for word in words.name_words(name)}:
        spoken = ("IT", "ITALIAN", "ITALIANO") if source.is_italian else ("EN", "ENGLISH", "INGLESE")
        return [texts[code] for code in spoken if code in texts]
    if source.step is not None and words.term(name) == "status":
        return [texts[state.upper()] for state in _FIRST_STATES if state.upper() in texts][:1]
    said_for_name = source.values.after_name(words.name_words(name))
    scored = []
    for order, choice in enumerate(choices):
        score = _speaks_for(choice, schema, source, said_for_name)
        if score > 0:
            scored.append((-score, order, choice))
    return [choice for _, _, choice in sorted(scored, key=lambda found: found[:2])]


def _speaks_for(choice: Any, schema: Schema, source: Source, said_for_name: Any) -> float:
    if choice is None or isinstance(choice, list | dict):
        return 0.0
    if said_for_name is not None and str(said_for_name).lower() == str(choice).lower():
        return 10.0
    if isinstance(choice, bool):
        return 0.0
    if not isinstance(choice, str):
        return 3.0 if choice in source.values.numbers else 0.0
    own = [words.term(word) for word in words.name_words(choice)]
    said = source.values.sequence
    meant = [word for word in own if word not in vocabulary.STOP_WORDS] or own
    if not meant:
        return 0.0
    hits = sum(word in said for word in meant)
    score = 4.0 * hits / len(meant) if hits == len(meant) else 1.5 * hits / len(meant)
    about = _description_of(choice, schema)
    if about:
        said_terms = source.values.terms
        described = words.terms(about)
        score += min(2.0, 0.7 * sum(word in described for word in said_terms))
    return score if score >= 0.7 else 0.0


def _description_of(choice: str, schema: Schema) -> str:
    """The sentence of the schema's description that is about this choice: ``failed: it ended with an error``."""
    text = schema.get("description")
    if not isinstance(text, str):
        return ""
    lowered = text[: words.READ_CHARS].lower()
    start = -1
    for mark in (f"{choice.lower()}:", f"{choice.lower()} -", f"{choice.lower()} =", f"{choice.lower()} ("):
        start = lowered.find(mark)
        if start >= 0:
            start += len(mark)
            break
    if start < 0:
        return ""
    ends = [end for end in (lowered.find(mark, start) for mark in (";", "\n", ". ", ")")) if end >= 0]
    return text[start : min(ends, default=start + 200)][:300]


def boolean(schema: Schema, name: str, source: Source) -> Leaf:
    """True when the words of the name are said without a "no" or "without" before them."""
    said_for_name = source.values.pairs.get(name)
    if isinstance(said_for_name, bool):
        return Leaf(said_for_name, True)
    own = [word.lower() for word in words.name_words(name)]
    meant = [
        words.term(word)
        for word in own
        if word not in ("is", "has", "needs", "requires", "include", "should", "with", "use")
    ]
    category = source.intent.category
    if not source.is_call:
        for marks, wanted in (
            (("dangerous", "delete", "destructive", "unsafe", "harmful"), category == "DANGEROUS"),
            (("safe", "readonly", "read_only"), category not in ("DANGEROUS", "ADMIN")),
            (("question",), source.values.text.rstrip().endswith("?")),
            (("graph",), category == "GRAPH"),
        ):
            if any(mark in meant or mark == name for mark in marks):
                return Leaf(wanted, True)
    said = source.values.sequence
    if meant and all(word in said for word in meant):
        before = [word.lower() for word in words.words(source.values.text)][: said.index(meant[0])][-2:]
        return Leaf(not {"no", "not", "without", "don", "senza", "non", "exclude", "skip"} & set(before), True)
    default = schema.get("default")
    return Leaf(default if isinstance(default, bool) else False, False)


def number(schema: Schema, name: str, source: Source, *, integer: bool, required: bool, taken: list[Any]) -> Leaf:
    """The number said with the name, else the next one that nothing else took."""
    own = words.name_words(name)
    meant = [words.term(word) for word in own]
    is_confidence = not source.is_call and bool(_CONFIDENCE & set(meant))
    said = None if is_confidence else source.number_for(own, meant, required=required, taken=taken)
    if is_confidence:
        scale = schema.get("maximum")
        said = source.intent.confidence * (scale if isinstance(scale, int | float) and 1 < scale <= 100 else 1)
    if said is not None:
        return Leaf(bounded(said, schema, integer=integer), True)
    default = schema.get("default")
    if isinstance(default, int | float) and not isinstance(default, bool):
        return Leaf(default, False)
    return Leaf(bounded(0, schema, integer=integer), False)


def bounded(value: float, schema: Schema, *, integer: bool) -> int | float:
    """The number nearest to ``value`` that the schema's limits allow."""
    step = schema.get("multipleOf")
    step = step if isinstance(step, int | float) and step > 0 else None
    low = max(
        (float(schema[key]) for key in ("minimum", "exclusiveMinimum") if _is_number(schema.get(key))),
        default=-math.inf,
    )
    high = min(
        (float(schema[key]) for key in ("maximum", "exclusiveMaximum") if _is_number(schema.get(key))), default=math.inf
    )
    opens_low, opens_high = schema.get("exclusiveMinimum") == low, schema.get("exclusiveMaximum") == high
    grid = step or (1 if integer else None)
    if grid is not None:
        if integer and float(grid) != int(grid):
            grid = int(grid * 10**6) if (grid * 10**6) == int(grid * 10**6) else grid
        count = round(value / grid)
        if math.isfinite(low):
            count = max(count, math.floor(low / grid) + 1 if opens_low else math.ceil(low / grid))
        if math.isfinite(high):
            count = min(count, math.ceil(high / grid) - 1 if opens_high else math.floor(high / grid))
        result: int | float = count * grid
        return int(result) if integer or (isinstance(result, float) and result.is_integer()) else result
    if value < low or (opens_low and value <= low):
        value = low if not opens_low else ((low + high) / 2 if math.isfinite(high) else low + 1)
    if value > high or (opens_high and value >= high):
        value = high if not opens_high else ((low + high) / 2 if math.isfinite(low) else high - 1)
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def string(schema: Schema, name: str, source: Source, shapes: Shapes, *, required: bool, taken: list[Any]) -> Leaf:
    """The text that the name asks for; of the wanted format, pattern and length."""
    for candidate in source.texts_for(schema, name, required=required, taken=taken):
        fitted = _sized(candidate, schema)
        if fitted is not None and shapes.fits(fitted, schema):
            return Leaf(fitted, True)
    default = schema.get("default")
    if isinstance(default, str) and shapes.fits(default, schema):
        return Leaf(default, False)
    least = schema.get("minLength") if isinstance(schema.get("minLength"), int) else 0
    pattern, wanted = schema.get("pattern"), schema.get("format")
    stand_ins: list[str | None] = [
        PLACEHOLDERS.get(wanted) if isinstance(wanted, str) else None,
        matching_text(pattern, least=int(least or 0)) if isinstance(pattern, str) else None,
        "" if source.is_call else "unknown",
        source.values.text,
        "x" * min(int(least or 0), 100_000),
        "",
    ]
    for stand_in in stand_ins:
        if stand_in is not None:
            fitted = _sized(stand_in, schema)
            if fitted is not None and shapes.fits(fitted, schema):
                return Leaf(fitted, False)
    return Leaf("", False)


def _sized(text: str, schema: Schema) -> str | None:
    least, most = schema.get("minLength", 0), schema.get("maxLength", MAX_STRING)
    if not _is_number(least) or not _is_number(most) or least > 100_000:
        return None
    if len(text) > most:
        text = shorten(text, int(most)) if most > 3 else text[: int(most)]
    if len(text) < least:
        text = (text + " ") * (int(least) // (len(text) + 1) + 1) if text.strip() else "-" * int(least)
        text = text[: int(least)].rstrip()
        text += "." * (int(least) - len(text))
    return text


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
