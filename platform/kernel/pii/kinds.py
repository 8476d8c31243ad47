"""The kinds of personal data, and how to find the next one of each in a text.

A finder takes a text and a position and gives the first match that begins there or later, as (start, end, kind), or
None. What it decides about a place depends on at most LOOK_BACK characters before it and LOOK_AHEAD after it, whatever
the position it was asked from: kernel.pii.stream relies on that. A number is judged by its shape where the shape is
enough; where it is not (eight bare digits may be a place on a chromosome), a word beside it has to say what it is.
Patterns begin with a character, not with a look behind: only then does `re` skip quickly over what cannot match.
"""

import re
from collections.abc import Callable

from kernel.pii.checks import IBAN_LENGTHS, card_kind, is_iban

LOOK_BACK = 96
LOOK_AHEAD = 512
Found = tuple[int, int, str]
Finder = Callable[[str, int], Found | None]

# Enough digits, apart by little, for any kind of number below; the first thing that is asked of a text.
ENOUGH_DIGITS = re.compile(r"\d(?<!\d\d)(?<![0-9a-fA-F]-.)(?<!\d[:.,/].)(?:[ .()/\u00a0-]{0,3}\d){6,}").search
# A number does not begin inside a word, an identifier, a decimal, a date or a path.
_START = re.compile(r"[+(\d](?<!\w.)(?<!\w-.)(?<!\d[:.,/].)")

# -- e-mail: from the @ to both sides
_LOCAL_MAX = 64
_DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,38}[^\W_])?\.){1,6}[^\W\d_]{2,24}")
_NOBODY = frozenset({"git"})  # git@host:path is an address of code


def find_email(text: str, pos: int) -> Found | None:
    at = text.find("@", pos)
    while at >= 0:
        start = at
        while start > pos and at - start < _LOCAL_MAX and (text[start - 1].isalnum() or text[start - 1] in "._%+'-"):
            start -= 1
        while start < at and text[start] in ".'-":
            start += 1
        domain = _DOMAIN.match(text, at + 1)
        if domain and start < at and text[start:at] not in _NOBODY:
            labels = domain[0].split(".")[:-1]
            if not all(label.isdigit() for label in labels):  # package@4.17.beta
                return start, domain.end(), "email"
        at = text.find("@", at + 1)
    return None


# -- bank accounts
_IBAN_START = re.compile(r"\d\d(?<=[A-Za-z]{2}..)(?<![A-Za-z0-9]....)")
_IBAN = re.compile(r"[A-Za-z0-9]{15,40}|[A-Za-z0-9]{4}(?: [A-Za-z0-9]{1,4}){2,9}")


def find_iban(text: str, pos: int) -> Found | None:
    check = _IBAN_START.search(text, pos)
    while check:
        start = check.start() - 2
        match = _IBAN.match(text, start)
        if match and start >= pos and (length := IBAN_LENGTHS.get(match[0][:2].upper(), 0)):
            compact, end = "", start
            while end < match.end() and len(compact) < length:
                compact += text[end].strip().upper()
                end += 1
            ends = not text[end : end + 1].isalnum()
            if ends and is_iban(compact) and ENOUGH_DIGITS(text, start, end):
                return start, end, "iban"
        check = _IBAN_START.search(text, check.start() + 1)
    return None


# -- numbers: one look at each place where one may begin
def find_number(text: str, pos: int) -> Found | None:
    """Cards, social security numbers, addresses of version 4 and telephones, in this order of preference."""
    place = _START.search(text, pos)
    while place:
        start = place.start()
        for kind, end_of in _NUMBERS:
            if end := end_of(text, start):
                return start, end, kind
        place = _START.search(text, start + 1)
    return None


_CARD = re.compile(
    r"(?:\d{12,19}|\d{4}(?P<s>[ -])(?:\d{4}(?P=s)\d{4}(?P=s)\d{4}(?:(?P=s)\d{3})?|\d{6}(?P=s)\d{4,5}))"
    r"(?!\w)(?![.-]\d)"
)
_CARD_WORD = re.compile(
    r"(?:\b|_)(?:cards?|cc|credit|debit|visa|mastercard|maestro|amex|diners|jcb|carta|karte\w*|kreditkart\w*|tarjeta"
    r"|carte)\b\D{0,24}\Z",
    re.IGNORECASE,
)


def _card(text: str, start: int) -> int | None:
    if match := _CARD.match(text, start):
        digits = match[0].replace(" ", "").replace("-", "")
        kind = card_kind(digits) if digits.isascii() else None
        if kind == "common" or (kind == "rare" and _CARD_WORD.search(text[max(0, start - 48) : start])):
            return match.end()
    return None


# United States social security numbers
_SSN = re.compile(r"(?!000|666|9)\d{3}(?P<s>[ -]?)(?!00)\d{2}(?P=s)(?!0000)\d{4}(?!\w)(?![.-]\d)")
_SSN_WORD = re.compile(r"\b(?:ssn|social[ -]security)\b\D{0,24}\Z", re.IGNORECASE)


def _ssn(text: str, start: int) -> int | None:
    match = _SSN.match(text, start)
    if match and (match["s"] == "-" or _SSN_WORD.search(text[max(0, start - 48) : start])):
        return match.end()
    return None


# Internet addresses; not versions, enzyme numbers or this machine
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IP4 = re.compile(rf"(?<!\.)(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-])(?!\.\w)")
LIKE_IP4 = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d").search
_IP6 = re.compile(r"[0-9a-fA-F](?<![\w:.].)[0-9a-fA-F]{0,3}(?::[0-9a-fA-F]{1,4}){7}(?![\w:])")
_VERSION_WORD = re.compile(
    r"(?:\b(?:v|ver|vers\w*|release\w*|build|section|sections|sec|chapter|clause|rev|revision|ec|enzyme|driver|firmware"
    r"|kernel|cuda|upgraded?\s+to)[ .:=#]{0,3}|§\s?|[=<>~^]=\s?)\Z",
    re.IGNORECASE,
)
_VERSION_HINTS = (
    "v", "relea", "build", "sec", "chap", "clause", "ec", "enzy", "firm", "kern", "cuda", "upgr", "§", "=",
)  # fmt: skip
_NOT_PERSONAL = ("127.", "0.0.0.0", "255.255.")


def _ip4(text: str, start: int) -> int | None:
    match = _IP4.match(text, start)
    if (
        match
        and not match[0].startswith(_NOT_PERSONAL)
        and not _said(text[max(0, start - 16) : start], _VERSION_HINTS, _VERSION_WORD)
    ):
        return match.end()
    return None


def find_ip6(text: str, pos: int) -> Found | None:
    """Written out in full; shorter forms look like times and ratios."""
    match = _IP6.search(text, pos)
    return (*match.span(), "ip") if match else None


# Telephones: shapes that speak for themselves, and digits with a word beside them
_MORE = r"(?:[ .\u00a0/-]?\d{2,4}+){1,5}+"
_PHONE = re.compile(
    rf"""(?:
      \+\d{{1,3}}[ .\u00a0/-]?(?:\(0\)[ .-]?)?(?:\(\d{{1,4}}\)[ .-]?)?\d{{1,4}}{_MORE}   # +46 (0)8 928 571 38
    | 00[1-9]\d{{0,2}}[ .\u00a0/-](?:\(0\)[ .-]?)?\d{{1,4}}{_MORE}                       # 001-518-640-0854
    | (?:1[ .-])?\([2-9]\d\d\)[ .-]?\d{{3}}[ .-]\d{{4}}                                # (579)888-3058
    | \(0\d{{1,4}}\)[ .-]?\d{{3,4}}[ .-]?\d{{3,5}}                                     # (08) 8747 6301
    | (?:\d{{1,3}}(?P<c>[ .-]))?[2-9]\d\d(?P<d>[ .-])\d{{3}}(?P=d)\d{{4}}               # 905-674-3793, 21 284 698 2548
    | 0[1-9](?P<e>[ .-])\d\d(?:(?P=e)\d\d){{3}}                                        # 01.84.17.61.18
    | 0[1-9]\d{{1,3}}[ \u00a0/-]\d{{2,8}}+(?:[ \u00a0-]?\d{{2,4}}+){{0,3}}+               # 0490 75 40 81, 0961-7596216
    | 3[2-9]\d[ .-]\d{{6,7}}                                                           # 347 1234567
    )(?:\s?(?:x|ext\.?)\s?\d{{1,5}})?(?!\w)(?![.,:/-]\d)""",
    re.VERBOSE,
)
_WEAK_PHONE = re.compile(
    r"\+?\(?\d{2,15}+\)?(?:[ .\u00a0/-]?\d{2,8}+){0,5}+(?:\s?(?:x|ext\.?)\s?\d{1,5})?(?!\w)(?![.,:/]\d)"
)
_PHONE_WORD = re.compile(
    r"""(?:\b(?:
      (?:tele)?phones?|tel[eé]phones?|tel|telefono|tel[eé]fono|telefon\w*|t[eé]l|tlf|fax|whatsapp|sms|signal|rufnummer
    | handy\w*|cellulare|cell(?:ular)?[ ](?:phone|number|no)|m[oó]vil|celular|portable|puhelin|desk|landline
    | mobile(?=\W{0,3}\Z)|mobile[ ](?:number|no|phone)|cell(?=[:.]\W{0,2}\Z)
    | (?:call|ring|text|phone|reach|contact)[ ](?:me|us|him|her|them|back)|answering
    | messages?[ ](?:to|on)|chiam(?:ami|atemi|are)|appele[zr](?:-moi)?|ll[aá]m(?:ame|enos|ar)|an(?:rufen)?[ ]unter
    )\b[^\d\n]{0,20}|\b(?:phone|tel|fax|mobile|telefon|telefono)\W{0,3})\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_PHONE_HINTS = (
    "tel", "tél", "phone", "tlf", "fax", "whatsapp", "sms", "signal", "rufnummer", "handy", "cell", "móvil", "movil",
    "portable", "puhelin", "desk", "landline", "mobile", "call", "ring", "text", "reach", "contact", "answering",
    "message", "chiam", "appele", "llam", "llám", "unter", "celular",
)  # fmt: skip
_PHONE_WORD_AFTER = re.compile(r"[ ,-]{1,2}\(?(?:office|fax|mobile|home|cell|work)\b", re.IGNORECASE)
_NOT_PHONE_WORD = re.compile(
    r"\b(?:isbn|issn|doi|orcid|pmid|pmc|gi|taxid|chr\w*|ean|port|seed)\b\W{0,3}\Z", re.IGNORECASE
)

_NOT_PHONE_HINTS = ("is", "doi", "orcid", "pm", "gi", "tax", "chr", "ean", "port", "seed")


def _said(before: str, hints: tuple[str, ...], word: re.Pattern[str]) -> bool:
    """Whether ``word`` ends this text; every word that does holds one of the ``hints``, which are cheaper to ask."""
    lowered = before.lower()
    if lowered == before.upper() and "=" not in before and "§" not in before:
        return False  # digits upon digits: no hint is without a letter, but for these two
    for hint in hints:
        if hint in lowered:
            return bool(word.search(before))
    return False


def _phone(text: str, start: int) -> int | None:
    return _phone_by_shape(text, start) or _phone_by_word(text, start)


def _phone_by_shape(text: str, start: int) -> int | None:
    match = _PHONE.match(text, start)
    if match and (10 if match[0].startswith("0") else 9) <= _count_digits(match[0]) <= 20:
        before = text[max(0, start - 16) : start]
        return None if _said(before, _NOT_PHONE_HINTS, _NOT_PHONE_WORD) else match.end()
    return None


def _phone_by_word(text: str, start: int) -> int | None:
    match = _WEAK_PHONE.match(text, start)
    if match and 7 <= _count_digits(match[0]) <= 20:
        if _said(text[max(0, start - 48) : start], _PHONE_HINTS, _PHONE_WORD):
            return match.end()
        if _PHONE_WORD_AFTER.match(text, match.end(), match.end() + 16):
            return match.end()
    return None


_BETWEEN_DIGITS = dict.fromkeys(map(ord, "+() .\u00a0/-"))


def _count_digits(number: str) -> int:
    """Of what a pattern of a telephone matched, without an extension's."""
    return len(number.replace("e", "x").partition("x")[0].rstrip().translate(_BETWEEN_DIGITS))


_NUMBERS: tuple[tuple[str, Callable[[str, int], int | None]], ...] = (
    ("card", _card),
    ("ssn", _ssn),
    ("ip", _ip4),
    ("phone", _phone),
)
