"""JSON out of a model's text, held against a schema."""

import pytest

from apps.llm.calling import structured
from apps.llm.types import Message

SCHEMA = {
    "type": "object",
    "properties": {"category": {"enum": ["CHAT", "GRAPH"]}, "confidence": {"type": "number", "maximum": 1}},
    "required": ["category"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "text",
    [
        '{"category": "GRAPH", "confidence": 0.5}',
        ' \n{"category": "GRAPH", "confidence": 0.5}\n',
        '```json\n{"category": "GRAPH", "confidence": 0.5}\n```',
        '```\n{"category": "GRAPH", "confidence": 0.5}\n```  \n',
    ],
)
@pytest.mark.requirement("llm:structured")
def test_a_value_is_read_alone_or_out_of_a_fence(text: str) -> None:
    assert structured.read(text, SCHEMA) == {"category": "GRAPH", "confidence": 0.5}


@pytest.mark.requirement("llm:structured")
def test_no_nul_is_in_a_value_for_no_database_can_hold_it() -> None:
    assert structured.read('{"a": ["x\\u0000y"], "b\\u0000": "\\\\u0000"}', {}) == {"a": ["xy"], "b": "\\u0000"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sure! Here it is.", "not JSON"),
        ('{"category": "GRAPH"', "not JSON"),
        ('{"category": "OTHER"}', "category"),
        ('{"confidence": 0.5}', "category"),
        ('{"category": "CHAT", "confidence": NaN}', "not JSON"),
        ('{"category": "CHAT", "confidence": -1e999}', "not JSON"),
        ('{"category": "CHAT", "more": 1}', "more"),
        ("[]", "the whole"),
    ],
)
@pytest.mark.requirement("llm:structured")
def test_what_does_not_fit_says_why(text: str, said: str) -> None:
    with pytest.raises(structured.Misfit, match=said):
        structured.read(text, SCHEMA)


@pytest.mark.requirement("llm:structured")
def test_the_repair_shows_the_model_its_answer_and_the_fault() -> None:
    asked = (Message("user", "Classify: hello"),)

    turns = structured.repair_turn(asked, "nonsense", structured.Misfit("It is not JSON: x"))

    assert turns[0] == asked[0]
    assert turns[1] == Message("assistant", "nonsense")
    assert "It is not JSON: x" in turns[2].content


@pytest.mark.parametrize(
    "schema", [{"type": "no such type"}, {"$ref": "http://127.0.0.1:9/schema"}, {"$ref": "#/$defs/missing"}]
)
@pytest.mark.requirement("llm:structured")
def test_a_schema_that_is_none_or_points_elsewhere_is_refused(schema: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="response_schema"):
        structured.check_schema(schema)
