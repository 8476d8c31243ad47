"""One text, left to right: the next match of any kind is replaced, and so on behind it.

The order of FINDERS decides between matches that begin at the same place. Modes: ``mask`` shows [REDACTED] (a card: its
first and last four digits), ``hash`` a keyed digest by which equal values can be told, ``remove`` nothing, ``off`` all.
"""

import hmac
from typing import Literal

from kernel.pii import kinds, secrets

Mode = Literal["mask", "hash", "remove", "off"]
Counts = dict[str, int]
REDACTED = "[REDACTED]"
SHORTEST = 6

FINDERS: dict[str, kinds.Finder] = {
    "secret": secrets.find_secret,
    "email": kinds.find_email,
    "iban": kinds.find_iban,
    "number": kinds.find_number,
    "ip6": kinds.find_ip6,
}
KINDS = (
    "secret",
    "email",
    "iban",
    "card",
    "ssn",
    "ip",
    "phone",
    "field",
)  # field: masked for the name it stands under (kernel.pii.document)


def scrub_text(text: str, mode: Mode, key: bytes) -> tuple[str, Counts]:
    """The text without personal data, and how many values of each kind it had. ``key``: of the digests of mode hash."""
    if mode == "off" or len(text) < SHORTEST or not (finders := finders_for(text)):
        return text, {}
    counts: Counts = {}
    parts: list[str] = []
    done = 0
    for start, end, kind in spans(text, finders):
        parts += text[done:start], replacement(text[start:end], kind, mode, key)
        counts[kind] = counts.get(kind, 0) + 1
        done = end
    if not parts:
        return text, counts
    return "".join((*parts, text[done:])), counts


def spans(text: str, finders: dict[str, kinds.Finder] = FINDERS) -> list[kinds.Found]:
    """What is personal in a text, as (start, end, kind), in order, none inside another."""
    found: list[kinds.Found] = []
    search = Search(finders)
    pos = 0
    while span := search.next(text, pos):
        start, end, kind = span
        if kind == "secret":
            end = max(end, tail_end(text, end))
        found.append((start, end, kind))
        pos = end
    return found


class Search:
    """The next match of any kind. Remembers each finder's next one as long as the text stays the same."""

    def __init__(self, finders: dict[str, kinds.Finder]) -> None:
        self._pending: dict[str, kinds.Found] = {}
        self._finders = dict(finders)

    def next(self, text: str, pos: int) -> kinds.Found | None:
        best: kinds.Found | None = None
        for name, finder in list(self._finders.items()):
            span = self._pending.get(name)
            if span is None or span[0] < pos:
                span = finder(text, pos)
                if span is None:
                    del self._finders[name]
                    continue
                self._pending[name] = span
            if best is None or span[0] < best[0]:
                best = span
        return best


def tail_end(text: str, pos: int) -> int:
    """Where a secret whose head ends at ``pos`` ends."""
    match = secrets.TAIL.match(text, pos)
    return match.end() if match else pos


def finders_for(text: str) -> dict[str, kinds.Finder]:
    """Those that could find anything in this text; told by signs that cost next to nothing."""
    finders: dict[str, kinds.Finder] = {}
    if secrets.may_be_in(text):
        finders |= secrets.finders_in(text)
    if "@" in text:
        finders["email"] = kinds.find_email
    enough = kinds.ENOUGH_DIGITS(text)
    if enough:
        finders["iban"] = kinds.find_iban
    if enough or (text.count(".") > 2 and kinds.LIKE_IP4(text)):
        finders["number"] = kinds.find_number
    if text.count(":") > 6:
        finders["ip6"] = kinds.find_ip6
    return finders


def replacement(value: str, kind: str, mode: Mode, key: bytes) -> str:
    """What is shown instead of ``value``."""
    if mode == "remove":
        return ""
    if mode == "hash":
        return shown_digest(keyed_digest(key, value))
    if kind == "card":
        digits = value.replace(" ", "").replace("-", "")
        return digits[:4] + "*" * (len(digits) - 8) + digits[-4:]
    return REDACTED


def keyed_digest(key: bytes, value: str = "") -> hmac.HMAC:
    """Keyed, because there are so few telephone numbers that a plain SHA-256 of one can be looked up."""
    return hmac.new(key, value.encode("utf-8", "surrogatepass"), "sha256")


def shown_digest(digest: hmac.HMAC) -> str:
    return "sha256:" + digest.hexdigest()[:16]
