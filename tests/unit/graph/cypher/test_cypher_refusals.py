"""Each text of the corpus of attacks, mistakes and wishes is refused, in words that help."""

import pytest

from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse
from kernel.errors import ValidationError
from tests.unit.graph.cypher.corpus import REFUSED, Entry, refused


def passed(entries: list[Entry]) -> list[str]:
    """Those that were read, or refused in words that say something else."""
    wrong = []
    for entry in entries:
        try:
            parse(entry.text)
            wrong.append(f"READ: {entry.text!r}")
        except CypherSyntaxError as error:
            if entry.mention not in error.detail:
                wrong.append(f"{entry.text!r}: {error.detail}")
    return wrong


@pytest.mark.requirement("cypher:refuses")
@pytest.mark.requirement("cypher:messages")
@pytest.mark.parametrize("entry", REFUSED, ids=lambda entry: repr(entry.text[:60]))
def test_it_is_refused_in_words_that_fit(entry: Entry) -> None:
    assert entry.mention and passed([entry]) == []


@pytest.mark.requirement("cypher:refuses")
def test_the_corpus_has_300_texts_or_more() -> None:
    assert len({entry.text for entry in REFUSED}) >= 300


@pytest.mark.requirement("security:65")
def test_no_spelling_of_a_write_is_read() -> None:
    written = refused("security 65")

    assert passed([Entry("", entry.text.swapcase()) for entry in written]) == []
    assert passed([Entry("", entry.text.replace(" ", "\r\n\t ")) for entry in written]) == []


@pytest.mark.requirement("security:66")
def test_comments_hide_nothing_and_are_text_inside_strings() -> None:
    assert passed(refused("security 66")) == []
    assert "DELETE" in repr(parse("RETURN '/* DELETE */ // x' AS `// y`"))
    assert "DELETE" not in repr(parse("RETURN 1 /* DELETE */ // DELETE"))


@pytest.mark.requirement("security:68")
def test_there_are_no_escapes_outside_strings() -> None:
    assert passed(refused("security 68")) == []


@pytest.mark.requirement("security:73")
def test_files_and_addresses_are_not_loaded() -> None:
    assert passed(refused("security 73")) == []


@pytest.mark.requirement("security:75")
@pytest.mark.requirement("security:76")
@pytest.mark.requirement("security:77")
@pytest.mark.requirement("security:78")
@pytest.mark.requirement("security:79")
def test_no_procedure_is_called_however_its_name_is_written() -> None:
    called = refused("security 75 to 79")

    spaced = [Entry("", entry.text.replace(".", " . ").replace("(", " ( ")) for entry in called]

    assert passed(called) == passed(spaced) == []


@pytest.mark.requirement("security:81")
def test_sixty_kinds_of_administration_are_refused() -> None:
    statements = refused("security 81")

    assert len(statements) >= 60
    assert passed(statements) == []
    assert passed([Entry("", f"EXPLAIN {entry.text}") for entry in statements if entry.text != "EXPLAIN"]) == []


@pytest.mark.requirement("security:83")
def test_one_statement_is_read_at_a_time() -> None:
    assert passed(refused("security 83")) == []
    assert parse("RETURN ';' AS x;") == parse("RETURN ';' AS x")


@pytest.mark.requirement("cypher:messages")
def test_a_refusal_says_where_and_what_would_fit() -> None:
    with pytest.raises(CypherSyntaxError) as raised:
        parse("MATCH (u:User)\nWHERE u.user_name = 'ada'\n  RETURM u")

    error = raised.value
    assert isinstance(error, ValidationError) and error.code == "cypher_syntax" and error.http_status == 422
    assert (error.line, error.column, error.found) == (3, 3, "RETURM")
    assert "RETURN" in error.expected and "an operator" not in error.detail.split(";")[0]
    assert error.errors == [
        {"loc": ["query"], "msg": error.detail, "type": "cypher_syntax", "ctx": error.errors[0]["ctx"]}  # type: ignore[index]
    ]


@pytest.mark.requirement("cypher:messages")
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("RETURN 'a", 1, 8), ("MATCH (n)\n\n RETURN (n", 3, 9), ("MATCH (n)\r\nDELETE n", 2, 1), ("RETURN 1 +", 1, 11)],
)
def test_places_are_counted_in_lines_and_characters(text: str, line: int, column: int) -> None:
    with pytest.raises(CypherSyntaxError) as raised:
        parse(text)

    assert (raised.value.line, raised.value.column) == (line, column)
