"""A text cut anywhere loses what the whole text would have lost."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.pii.kinds import LOOK_AHEAD
from kernel.pii.stream import StreamScrubber
from kernel.pii.text import Mode, scrub_text

KEY = b"key of these tests"
PERSONAL = (
    "mario.rossi@example.com", "+39 055 123 4567", "905-674-3793x12", "call me at 9472 7916", "69 78 12 34 office",
    "123-45-6789", "ssn 123 45 6789", "GB29 NWBK 6016 1331 9268 19", "GB29NWBK60161331926819", "4111 1111 1111 1111",
    "card 4222222222222", "192.168.17.4", "version 1.2.3.4", "sk-proj-abcdefghij1234567890", "ghp_" + "a1B2" * 9,
    "Bearer abcdef1234567890abcdef", "password: hunter2", "api_key = \"abcd1234efgh5678\"", "token is a1b2c3d4e5f6g7h8",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl", "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    "eyJhbGciOiJIUzI1NiJ9.eyJ" + "QUJD" * 400 + ".sig", "x" * 700 + "@example.com", "5" * 600,
)  # fmt: skip
PLAIN = (
    "the gene",
    " ",
    "\n",
    ", ",
    ". ",
    "BRCA1",
    "12",
    "(",
    ")",
    "key",
    " is ",
    "=",
    ":",
    "-",
    "@",
    "office",
    "x",
    "é",
    "1",
)
texts = st.lists(st.sampled_from((*PERSONAL, *PLAIN)) | st.text(max_size=6), max_size=24).map("".join)


def in_pieces(text: str, cuts: list[int], mode: Mode) -> str:
    scrubber = StreamScrubber(mode, KEY)
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    return "".join(map(scrubber.feed, pieces)) + scrubber.flush()


@pytest.mark.requirement("guards:stream")
@settings(max_examples=200, deadline=None)
@given(text=texts, cuts=st.lists(st.integers(0, 4000), max_size=40), mode=st.sampled_from(("mask", "hash", "remove")))
def test_any_cut_of_any_text_gives_what_the_whole_gives(text: str, cuts: list[int], mode: Mode) -> None:
    assert in_pieces(text, cuts, mode) == scrub_text(text, mode, KEY)[0]


@pytest.mark.requirement("guards:stream")
@settings(max_examples=40, deadline=None)
@given(text=texts)
def test_a_text_that_comes_letter_by_letter_gives_what_the_whole_gives(text: str) -> None:
    assert in_pieces(text, list(range(len(text))), "mask") == scrub_text(text, "mask", KEY)[0]


@pytest.mark.requirement("guards:stream")
@pytest.mark.parametrize("value", PERSONAL)
def test_a_value_cut_in_two_anywhere_is_found(value: str) -> None:
    text = f"See {value} and go on."
    whole = scrub_text(text, "mask", KEY)[0]

    for place in range(1, min(len(text), 1800), 1 if len(text) < 200 else 61):
        assert in_pieces(text, [place], "mask") == whole


@pytest.mark.requirement("guards:stream")
def test_prose_is_held_back_by_a_word_at_most() -> None:
    scrubber = StreamScrubber("mask", KEY)

    assert scrubber.feed("Breast cancer is linked to variants ") == "Breast cancer is linked to variants "
    assert scrubber.feed("of two gen") == "of two "
    assert scrubber.feed("es. There ") == "genes. There "


@pytest.mark.requirement("guards:stream")
@pytest.mark.parametrize("endless", ["1", "a", "12 ", "a.", "eyJhbGciOiJIUzI1NiJ9.eyJabcd1234"])
def test_what_never_ends_is_not_kept(endless: str) -> None:
    scrubber = StreamScrubber("mask", KEY)

    for _ in range(3000):
        scrubber.feed(endless)

    assert len(scrubber._text) <= 2 * LOOK_AHEAD
