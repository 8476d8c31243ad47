"""Answers lead nowhere that nobody named: by every spelling that Markdown, HTML and browsers know."""

import re
import time

import pytest

from apps.agents.phases.links import HELD_CHARS, LinkGuard, defuse, foreign_address, hosts_of

HOSTS = frozenset({"lab.example.org", "*.doi.org", "localhost"})
FOREIGN = {
    "image": ("![m](https://evil.example/?d=1)", "![m]\\(https[:]//evil[.]example/?d=1)"),
    "link": ("[a](http://evil.example)", "[a]\\(http[:]//evil[.]example)"),
    "title": ('[a](https://evil.example "t")', '[a]\\(https[:]//evil[.]example "t")'),
    "angles": ("[a](<https://evil.example/ x>)", "[a]\\(<https[:]//evil[.]example/ x>)"),
    "next-line": ("[a](\nhttps://evil.example)", "[a]\\(\nhttps[:]//evil[.]example)"),
    "definition": ("[1]: https://evil.example", "[1]\\: https[:]//evil[.]example"),
    "definition-below": ("[1]:\n  //evil.example", "[1]\\:\n  //evil[.]example"),
    "no-scheme": ("![x](//evil.example/a)", "![x]\\(//evil[.]example/a)"),
    "backslash": ("![x](/\\evil.example/a)", "![x]\\(/\\evil.example/a)"),
    "backslashes": ("![x](\\\\evil.example/a)", "![x]\\(\\\\evil.example/a)"),
    "escaped": ("![x](https\\://evil.example)", "![x]\\(https\\://evil.example)"),
    "one-slash": ("![x](https:/evil.example)", "![x]\\(https:/evil.example)"),
    "entity": ("![x](&#104;ttps://evil.example)", "![x]\\(&#104;ttps[:]//evil[.]example)"),
    "named-entity": ("![x](https&colon;//evil.example)", "![x]\\(https&colon;//evil[.]example)"),
    "twice-entity": ("![x](&amp;#104;ttps&amp;colon;//e.example)", "![x]\\(&amp;#104;ttps&amp;colon;//e[.]example)"),
    "percent": ("![x](%68ttps://evil.example)", "![x]\\(%68ttps://evil.example)"),
    "script": ("[x](javascript:alert(1))", "[x]\\(javascript:alert(1))"),
    "data": ("[x](data:text/html,y)", "[x]\\(data:text/html,y)"),
    "user": ("https://lab.example.org@evil.example/", "https[:]//lab[.]example[.]org@evil[.]example/"),
    "suffix": ("https://lab.example.org.evil.example", "https[:]//lab[.]example[.]org[.]evil[.]example"),
    "prefix": ("https://notdoi.org/1", "https[:]//notdoi[.]org/1"),
    "bare": ("see www.evil.example.", "see www[.]evil[.]example."),
    "dns": ("ws://secret.evil.example", "ws[:]//secret[.]evil[.]example"),
    "port": ("https://evil.example:8443/x", "https[:]//evil[.]example:8443/x"),
    "autolink": ("<https://evil.example>", "&lt;https[:]//evil[.]example>"),
    "img": ("<img src=x>", "&lt;img src=x>"),
    "img-next-line": ("<img\nsrc=x>", "&lt;img\nsrc=x>"),
    "style": ('<p style="background:url(/x)">', '&lt;p style="background:url(/x)">'),
    "upper": ("![x](HTTPS://EVIL.EXAMPLE)", "![x]\\(HTTPS[:]//EVIL[.]EXAMPLE)"),
    "host-name-only": ("http://evil/x", "http[:]//evil/x"),
    "address": ("http://192.0.2.7/x", "http[:]//192[.]0[.]2[.]7/x"),
}
FINE = {
    "named": "At https://lab.example.org/x?y=1#z, [there](https://lab.example.org/x).",
    "below": "![x](https://dx.doi.org/10.1)",
    "own": "[a](/v1/jobs) [b](#c) [d](e.html) http://localhost:8000/x",
    "code": "MATCH (a)-[:RUNS]->(b) WHERE a.x<b.y AND list[0]: (1//2) {{7*7}} <b>bold</b> C:\\x %s 12:30",
    "notes": "As in [^1] and [2]. [^1]: see note",
}


@pytest.mark.requirement("security:104")
@pytest.mark.parametrize("name", FOREIGN)
def test_an_address_that_nobody_named_is_text(name: str) -> None:
    given, shown = FOREIGN[name]

    assert defuse(given, HOSTS) == shown
    assert defuse(shown, HOSTS) == shown


@pytest.mark.requirement("security:104")
@pytest.mark.parametrize("name", FINE)
def test_other_text_stays_as_it_is(name: str) -> None:
    assert defuse(FINE[name], HOSTS) == FINE[name]


@pytest.mark.requirement("security:104")
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_pieces_say_what_the_whole_would(size: int) -> None:
    text = "\n".join([*(given for given, _ in FOREIGN.values()), *FINE.values(), "a plain end, without anything"])
    guard = LinkGuard(HOSTS)

    told = [guard.feed(text[start : start + size]) for start in range(0, len(text), size)]

    assert "".join(told) + guard.flush() == defuse(text, HOSTS)


@pytest.mark.requirement("security:104")
def test_plain_words_are_told_as_they_come() -> None:
    guard = LinkGuard(HOSTS)

    told = [guard.feed(piece) for piece in ("There ", "are 12 ", "fi", "les. And ", "[one](", "/v1/x)\n", "more ")]

    assert told == ["There ", "are 12 ", "", "files. And ", "", "[one](/v1/x)\n", "more "]


@pytest.mark.requirement("security:104")
@pytest.mark.parametrize("end", ["](//evil.example/)", "<img src=//evil.example>", "](&#47;/evil.example)"])
@pytest.mark.parametrize("ahead", range(1, 6))
def test_a_word_without_end_hides_nothing_at_its_seam(end: str, ahead: int) -> None:
    guard = LinkGuard(HOSTS)

    told = guard.feed("x" * (HELD_CHARS + 1 - ahead) + end[:ahead]) + guard.feed(end[ahead:]) + guard.flush()

    assert re.search(r"(?<!\\)\]\(|<img", told) is None  # an escaped bracket closes nothing


@pytest.mark.requirement("security:104")
def test_an_address_as_an_argument_is_found_wherever_it_is() -> None:
    assert foreign_address({"a": [1, {"b": " https://evil.example/x "}]}, HOSTS) == " https://evil.example/x "
    assert foreign_address({"a": ["//evil.example", None]}, HOSTS) == "//evil.example"
    assert foreign_address({"a": "https://lab.example.org/x", "b": "RETURN 'https://evil.example'"}, HOSTS) is None


def test_hosts_are_those_that_words_name() -> None:
    said = "Look at https://Lab.example.org/x and gene.bio, not at me@mail.example"

    assert hosts_of(said) == {"lab.example.org", "gene.bio"}


@pytest.mark.requirement("security:104")
@pytest.mark.parametrize("part", ["a-", "](", "a.", "<a ", "<", "[:", "https://", "-a.a", "&amp;", "]: "])
def test_hostile_texts_take_time_in_proportion(part: str) -> None:
    text, began = part * (100_000 // len(part)), time.thread_time()

    defuse(text, HOSTS)
    hosts_of(text)

    assert time.thread_time() - began < 5
