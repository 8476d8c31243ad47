"""Page tokens and limits, as every list uses them."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kernel.errors import BadRequestError
from kernel.pagination import LIMIT_MAX, Cursor, decode_cursor, encode_cursor, page, parse_limit

CURSOR = Cursor(datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC), uuid4(), 50)


@pytest.mark.requirement("jobs:pages")
def test_a_token_comes_back_as_the_cursor_it_was_made_from() -> None:
    assert decode_cursor(encode_cursor(CURSOR, scope="a"), scope="a") == CURSOR


@pytest.mark.requirement("jobs:pages")
def test_a_token_of_another_scope_is_refused() -> None:
    with pytest.raises(BadRequestError):
        decode_cursor(encode_cursor(CURSOR, scope="a"), scope="b")


@pytest.mark.requirement("jobs:pages")
@given(text=some.text(min_size=1))
def test_no_text_but_a_token_of_ours_is_a_cursor(text: str) -> None:
    with pytest.raises(BadRequestError):
        decode_cursor(text, scope="a")


@pytest.mark.requirement("jobs:pages")
@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_the_first_page(token: str | None) -> None:
    assert decode_cursor(token, scope="a") is None


@pytest.mark.requirement("jobs:pages")
@given(text=some.text(max_size=30))
def test_a_limit_is_a_whole_number_from_1_to_50_or_refused(text: str) -> None:
    try:
        limit = parse_limit(text)
    except BadRequestError:
        return

    assert 1 <= limit <= LIMIT_MAX


@pytest.mark.requirement("jobs:pages")
def test_the_envelope_has_the_six_fields_of_the_contract() -> None:
    shown = page([{"id": 1}], total=9, limit=1, offset=3, token="t")

    assert shown == {
        "items": [{"id": 1}], "total": 9, "limit": 1, "offset": 3, "has_more": True, "next_page_token": "t"
    }  # fmt: skip
