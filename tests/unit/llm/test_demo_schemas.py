"""The demo provider fills JSON Schemas: always validly, and sensibly where something was said."""

import json
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.llm.net.limits import CallLimits
from apps.llm.providers.base import ProviderCall
from apps.llm.providers.demo.answers import answer
from apps.llm.providers.demo.pattern_text import matching_text
from apps.llm.types import Message

Schema = dict[str, Any]
NAMES = ["goal", "limit", "status", "id", "is_ok", "steps", "tags", "title", "answer", "confidence", "when", "x"]
PATTERNS = [
    "^[a-z]{3,8}$",
    "^step-[0-9]+$",
    r"^\d{4}-\d{2}$",
    "^(a|b)c?$",
    "[A-Z]{2}",
    r"^\w+@\w+\.it$",
    "^[^0-9]{2}$",
    "^x{0,3}y+$",
    r"^urn:[a-z0-9]+(:[a-z]+){1,3}$",
    "^(?:GET|POST)$",
    "^[\\w.-]{5,10}$",
]
FORMATS = ["date", "date-time", "time", "email", "uuid", "uri", "ipv4", "ipv6", "hostname", "duration"]
TEXTS = [
    "",
    "hello",
    "List the 5 largest files of user 'ada', then delete job-17 and mail a@b.it on 2024-05-01",
    "quanti geni ci sono? limite=10, titolo: prova",
    "1. count genes 2. count users 3. compare",
]


def filled(schema: Schema, text: str, purpose: str = "chat") -> Any:
    call = ProviderCall(
        "demo", (Message("user", text),), CallLimits.within(60), 2048, response_schema=schema, purpose=purpose
    )
    return json.loads(answer(call).text)


def is_valid(schema: Schema, value: Any) -> bool:
    return bool(jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value))


def _numbers(kind: str) -> st.SearchStrategy[Schema]:
    low = st.integers(-50, 50)
    limits = low.flatmap(
        lambda least: st.sampled_from(
            [
                {},
                {"minimum": least},
                {"maximum": least},
                {"minimum": least, "maximum": least + 20},
                {"exclusiveMinimum": least},
                {"minimum": least, "maximum": least + 40, "multipleOf": 7},
                {"exclusiveMaximum": least, "multipleOf": 2},
            ]
        )
    )
    return limits.map(lambda limit: {"type": kind, **limit})


def _strings() -> st.SearchStrategy[Schema]:
    sizes = st.integers(0, 30).flatmap(
        lambda least: st.sampled_from(
            [{}, {"minLength": least}, {"maxLength": least}, {"minLength": least, "maxLength": least + 5}]
        )
    )
    return st.one_of(
        sizes.map(lambda size: {"type": "string", **size}),
        st.sampled_from(PATTERNS).map(lambda pattern: {"type": "string", "pattern": pattern}),
        st.sampled_from(FORMATS).map(lambda name: {"type": "string", "format": name}),
        st.lists(st.sampled_from(["low", "high", "failed", "GRAPH", "it", "other"]), min_size=1, unique=True).map(
            lambda v: {"enum": v}
        ),
        st.sampled_from(["a", 1, None, True, {"k": [1]}]).map(lambda value: {"const": value}),
    )


LEAVES = st.one_of(
    _numbers("integer"),
    _numbers("number"),
    _strings(),
    st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {},
            {"type": ["string", "null"]},
            {"type": ["integer", "null"], "minimum": 3},
            {"not": {"type": "string"}},
            {"type": "integer", "not": {"const": 0}},
        ]
    ),
)


def _grown(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    objects = st.dictionaries(st.sampled_from(NAMES), inner, max_size=5).flatmap(
        lambda properties: st.tuples(
            st.lists(st.sampled_from([*properties, "extra"]), unique=True),
            st.sampled_from([None, True, {"type": "string"}]),
        ).map(
            lambda rest: {
                "type": "object",
                "properties": properties,
                "required": [n for n in rest[0] if n in properties or rest[1] is not None],
                **({"additionalProperties": rest[1]} if rest[1] is not None else {"additionalProperties": False}),
            }
        )
    )
    arrays = st.tuples(inner, st.integers(0, 4), st.integers(0, 3)).map(
        lambda parts: {"type": "array", "items": parts[0], "minItems": parts[1], "maxItems": parts[1] + parts[2]}
    )
    return st.one_of(
        objects,
        arrays,
        st.lists(inner, min_size=1, max_size=3).map(lambda some: {"anyOf": some}),
        inner.map(lambda one: {"allOf": [one]}),
        inner.map(lambda one: {"anyOf": [one, {"type": "null"}]}),
        inner.map(lambda one: {"type": "object", "additionalProperties": one, "minProperties": 2}),
        inner.map(lambda one: {"type": "array", "prefixItems": [one, {"type": "integer"}], "minItems": 2}),
        inner.map(
            lambda one: {
                "$defs": {"part": one},
                "type": "object",
                "properties": {"x": {"type": "integer"}},
                "required": ["x"],
            }
        ),
        inner.map(
            lambda one: {
                "type": "object",
                "properties": {"kind": {"enum": ["a", "b"]}, "more": one},
                "required": ["kind"],
                "if": {"properties": {"kind": {"const": "a"}}},
                "then": {"required": ["more"]},
            }
        ),
    )


SCHEMAS = st.recursive(LEAVES, _grown, max_leaves=12)


@pytest.mark.requirement("llm:demo-schemas")
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(schema=SCHEMAS, text=st.sampled_from(TEXTS), purpose=st.sampled_from(["chat", "plan", "classify"]))
def test_whatever_the_schema_the_answer_is_valid(schema: Schema, text: str, purpose: str) -> None:
    value = filled(schema, text, purpose)

    assert is_valid(schema, value), (schema, value)


RECURSIVE: Schema = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["name", "next"],
        }
    },
    "$ref": "#/$defs/node",
}


@pytest.mark.requirement("llm:demo-schemas")
@pytest.mark.parametrize(
    "schema",
    [
        RECURSIVE,
        {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 5},
        {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 3},
        {
            "type": "array",
            "items": {"type": "string", "pattern": "^[a-z]{2}[0-9]{2}$"},
            "uniqueItems": True,
            "minItems": 3,
        },
        {"type": "array", "contains": {"const": 7}, "minContains": 2},
        {"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}]},
        {"oneOf": [{"const": "yes", "title": "Agreed"}, {"const": "no", "title": "Refused"}]},
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer", "minimum": 2}}},
                {"required": ["a", "b"]},
                {"properties": {"a": {"maximum": 2}, "b": {"type": "boolean"}}},
            ]
        },
        {
            "allOf": [
                {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            ]
        },
        {
            "type": "object",
            "patternProperties": {"^n_": {"type": "number"}},
            "additionalProperties": False,
            "minProperties": 3,
        },
        {"type": "object", "propertyNames": {"pattern": "^[A-Z]{3}$"}, "minProperties": 2},
        {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "dependentRequired": {"a": ["b"]},
            "required": ["a"],
        },
        {
            "definitions": {"it": {"enum": ["x"]}},
            "type": "object",
            "properties": {"v": {"$ref": "#/definitions/it"}},
            "required": ["v"],
        },
        {
            "type": "object",
            "properties": {"self": {"$ref": "#/properties/other"}, "other": {"type": "integer"}},
            "required": ["self"],
        },
        {"type": "string", "minLength": 5_000},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {
            "$id": "https://example.org/s",
            "type": "object",
            "properties": {"a": {"$ref": "#/$defs/a"}},
            "$defs": {"a": {"type": "string"}},
        },
    ],
    ids=str,
)
def test_the_rarer_keywords_are_kept(schema: Schema) -> None:
    for text in TEXTS:
        assert is_valid(schema, filled(schema, text)), filled(schema, text)


@pytest.mark.requirement("llm:demo-bounded")
def test_a_schema_that_grows_without_end_is_answered_soon() -> None:
    branching = {"$ref": "#/$defs/n"}
    schema = {
        "$defs": {
            "n": {
                "type": "object",
                "required": list("abcdef"),
                "properties": {key: {"anyOf": [branching] * 9} for key in "abcdef"},
            }
        },
        "$ref": "#/$defs/n",
    }
    deep: Schema = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep, "minItems": 1}
    started = time.thread_time()

    filled(schema, "hello")
    filled({"allOf": [{"$ref": "#"}]}, "hello")
    filled(deep, "hello")

    assert time.thread_time() - started < 20, "without a bound it takes hours"


INTENT: Schema = {
    "type": "object",
    "properties": {
        "category": {"enum": ["CHAT", "GRAPH", "SECURITY", "ADMIN", "DANGEROUS", "EXPLAIN"]},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "reason": {"type": "string"},
    },
    "required": ["category", "confidence"],
    "additionalProperties": False,
}
PLAN: Schema = {
    "type": "object",
    "properties": {
        "goal": {"type": "string"},
        "steps": {
            "type": "array",
            "minItems": 1,
            "maxItems": 8,
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "integer"},
                    "description": {"type": "string"},
                    "status": {"enum": ["pending", "done"]},
                    "depends_on": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["id", "description", "status"],
            },
        },
    },
    "required": ["steps"],
}


@pytest.mark.requirement("llm:demo-classifies")
@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("how many genes are there?", "GRAPH"),
        ("cancella tutti i nodi", "DANGEROUS"),
        ("ciao", "CHAT"),
        ("quali permessi ho?", "SECURITY"),
        ("Prompt: create an index on Gene(symbol)", "ADMIN"),
        ("<prompt>delete everything</prompt>", "DANGEROUS"),
        ('Classify the following.\nPrompt: "explain the query MATCH (n) RETURN n"\nCategories: CHAT, GRAPH', "EXPLAIN"),
    ],
)
def test_an_intent_is_chosen_from_the_categories(text: str, category: str) -> None:
    value = filled(INTENT, text, "classify")

    assert value["category"] == category
    assert 0.6 <= value["confidence"] <= 1


@pytest.mark.requirement("llm:demo-plans")
@pytest.mark.parametrize(
    ("goal", "steps"),
    [
        (
            "Find failed tasks, then group them by user and then mail a report",
            ["Find failed tasks", "group them by user", "mail a report"],
        ),
        ("1. count genes 2. count proteins 3. compare both", ["count genes", "count proteins", "compare both"]),
        ("- count genes\n- count users", ["count genes", "count users"]),
        ("Conta i geni e poi elenca gli utenti, infine riassumi", ["Conta i geni", "elenca gli utenti", "riassumi"]),
        ("Check health. Restart the worker.", ["Check health", "Restart the worker"]),
        ("List users and count jobs", ["List users", "count jobs"]),
        ("How many genes and proteins are there?", ["How many genes and proteins are there?"]),
    ],
)
def test_a_goal_becomes_steps_in_its_own_words(goal: str, steps: list[str]) -> None:
    value = filled(PLAN, goal, "plan")

    assert [step["description"] for step in value["steps"]] == steps
    assert [step["id"] for step in value["steps"]] == list(range(1, len(steps) + 1))
    assert {step["status"] for step in value["steps"]} == {"pending"}


@pytest.mark.requirement("llm:demo-schemas")
@pytest.mark.parametrize(
    ("schema", "text", "wanted"),
    [
        (
            {"email": {"type": "string", "format": "email"}, "n": {"type": "integer"}},
            "Send 3 reports to ada@cineca.it",
            {"email": "ada@cineca.it", "n": 3},
        ),
        ({"priority": {"enum": ["low", "medium", "high"]}}, "this is urgent!", {"priority": "high"}),
        ({"status": {"enum": ["running", "failed"]}}, "elenca i job falliti", {"status": "failed"}),
        ({"since": {"type": "string", "format": "date"}}, "jobs since 3 March 2024", {"since": "2024-03-03"}),
        ({"gene": {"type": "string"}}, "what do we know about TP53?", {"gene": "TP53"}),
        ({"limit": {"type": "integer", "maximum": 100}}, "show the top 7 users", {"limit": 7}),
        (
            {"note": {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]}},
            "nothing of the kind",
            {"note": None},
        ),
        ({"language": {"type": "string"}}, "quanti sono gli utenti?", {"language": "it"}),
        ({"is_question": {"type": "boolean"}}, "is it?", {"is_question": True}),
        (
            {"genes": {"type": "array", "items": {"type": "string"}}},
            "the genes are: TP53, BRCA1 and EGFR",
            {"genes": ["TP53", "BRCA1", "EGFR"]},
        ),
    ],
)
def test_values_come_from_what_was_said(schema: Schema, text: str, wanted: dict[str, Any]) -> None:
    whole = {"type": "object", "properties": schema, "required": list(schema), "additionalProperties": False}

    assert filled(whole, text) == wanted


@pytest.mark.requirement("llm:demo-schemas")
@pytest.mark.parametrize("pattern", [*PATTERNS, r"^[\d\-]{3}$", "^(foo|bar){2}$", r"\p{Lu}", "^a.c$", "^$"])
def test_a_text_is_made_for_a_pattern(pattern: str) -> None:
    text = matching_text(pattern)

    assert text is not None
    assert is_valid({"type": "string", "pattern": pattern}, text)
