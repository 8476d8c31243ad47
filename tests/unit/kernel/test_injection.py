"""Pieces of programs in names, and names that only sound like some."""

import json
import time

import pytest
from pydantic import ValidationError

from kernel import injection
from kernel.errors import BadRequestError
from kernel.web.body import StrictJson
from kernel.web.fields import FreeText, Identifier, Label, RequestBody


class Example(RequestBody):
    tool: Identifier | None = None
    owner: Label | None = None
    prompt: FreeText | None = None


@pytest.mark.requirement("guards:injection")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x' OR '1'='1", "sql"),
        ("1; DROP TABLE jobs", "sql"),
        ("a UNION ALL SELECT password FROM users", "sql"),
        ("admin'--", "sql"),
        ("1 or 1=1", "sql"),
        ("pg_sleep(10)", "sql"),
        ("n}) DETACH DELETE n //", "cypher"),
        ("MATCH (n) RETURN n", "cypher"),
        ("LOAD CSV FROM 'file:///etc/passwd'", "cypher"),
        ("CALL mg.load_all()", "cypher"),
        ("x; rm -rf /", "command"),
        ("x | cat /etc/passwd", "command"),
        ("$(id)", "command"),
        ("`id`", "command"),
        ("a && b", "command"),
        ("../../etc/passwd", "path traversal"),
        ("..\\..\\windows", "path traversal"),
        ("%2e%2e/secret", "path traversal"),
        ("{{7*7}}", "template"),
        ("${jndi:ldap://x}", "template"),
        ("<script>alert(1)</script>", "template"),
        ("a\x00b", "control characters"),
        ("a\nb", "control characters"),
        ("a\u202eb", "control characters"),
        ("\ufeffa", "control characters"),
    ],
)
def test_pieces_of_programs_are_recognised(text: str, kind: str) -> None:
    assert injection.find(text) == kind


@pytest.mark.requirement("guards:injection")
@pytest.mark.parametrize(
    "text",
    [
        "user-1a2b3c4d", "auth0|5f7c8ec7c33c6c004bbafe82", "ada@example.com",
        "phi3:mini", "openai/gpt-4o", "BRCA1",
        "NM_001301717.2", "Genomics & Co", "O'Neill", "Dr. Union", "select committee", "Müller",
        "日本語", "a/b/c.fasta",
        "finished,failed", "2026-01-01T00:00:00Z", "drop-off point", "update 4",
        "R&D; biology", "x" * 5000, "a b c", "%%",
    ],
)  # fmt: skip
def test_names_pass(text: str) -> None:
    assert injection.find(text) is None


@pytest.mark.requirement("guards:injection")
def test_a_name_is_judged_and_free_text_is_not() -> None:
    question = "What does DROP TABLE jobs; do? '); MATCH (n) DETACH DELETE n; $(rm -rf /) {{7*7}}"

    assert Example.model_validate({"prompt": question}).prompt == question
    for field in ("tool", "owner"):
        with pytest.raises(ValidationError):
            Example.model_validate({field: question})


@pytest.mark.requirement("guards:injection")
def test_the_refusal_names_the_field_and_the_kind_and_never_the_text() -> None:
    with pytest.raises(ValidationError) as refused:
        Example.model_validate({"owner": "x'; DROP TABLE jobs"})

    (fault,) = refused.value.errors(include_url=False, include_context=False, include_input=False)
    assert fault["loc"] == ("owner",) and fault["type"] == "suspicious_input"
    assert "sql" in fault["msg"] and "DROP" not in fault["msg"]


@pytest.mark.requirement("guards:injection")
@pytest.mark.parametrize("piece", ["a", "'", "{", " or ", "select ", "..", ";", "(", "match ", "create ", "\n"])
def test_no_text_makes_judging_slow(piece: str) -> None:
    began = time.thread_time()

    injection.find(piece * (60_000 // len(piece)))

    assert time.thread_time() - began < 5, "by the square of its length it takes a quarter of a minute"


def parse(body: bytes) -> object:
    import io

    return StrictJson().parse(io.BytesIO(body))


@pytest.mark.requirement("guards:bodies")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"a": 1, "a": 2}', "duplicate_key"),
        (b'{"x": [{"a": 1, "b": {"c": 1, "\\u0063": 2}}]}', "duplicate_key"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": -Infinity}', "invalid_json"),
        (b'{"a": 1', "invalid_json"),
        (b"{'a': 1}", "invalid_json"),
        (b"\xff\xfe{}", "invalid_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
    ],
)
def test_bodies_that_could_be_read_in_two_ways_are_refused(body: bytes, code: str) -> None:
    with pytest.raises(BadRequestError) as refused:
        parse(body)

    assert refused.value.code == code


@pytest.mark.requirement("guards:bodies")
def test_other_bodies_are_read_as_they_are() -> None:
    body = {"a": [1, 2.5, None, True, "é\u2028"], "b": {"a": {}}}

    assert parse(json.dumps(body).encode()) == body
