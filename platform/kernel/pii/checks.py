"""What tells a card number, a bank account or an address from other digits: checksums, lengths and prefixes."""

from collections.abc import Sequence
from typing import Literal

IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
    "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25,
    "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27,
    "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip

# (first prefix, last prefix, lengths): cards that are taken for such wherever they stand ...
_CARDS: Sequence[tuple[str, str, tuple[int, ...]]] = (
    ("4", "4", (16,)), ("51", "55", (16,)), ("2221", "2720", (16,)), ("34", "34", (15,)), ("37", "37", (15,)),
    ("6011", "6011", (16,)), ("622", "622", (16,)), ("644", "659", (16,)), ("3528", "3589", (16,)),
)  # fmt: skip
# ... and those whose numbers are too like others to be taken for one without a word that says so.
_RARE_CARDS: Sequence[tuple[str, str, tuple[int, ...]]] = (
    ("4", "4", (13, 19)), ("35", "35", (16,)),
    ("300", "305", (14,)), ("36", "36", (14,)), ("38", "39", (14,)), ("1800", "1800", (15,)),
    ("2131", "2131", (15,)), ("50", "50", tuple(range(12, 20))), ("56", "69", tuple(range(12, 20))),
    ("06", "06", (12,)),
)  # fmt: skip


_ZERO = ord("0")
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")


def luhn_holds(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812). ``digits``: 0 to 9 alone."""
    values = digits.encode()
    total = sum(values[::-2]) + sum(values[-2::-2].translate(_DOUBLED))
    return (total - _ZERO * len(values)) % 10 == 0


def card_kind(digits: str) -> Literal["common", "rare"] | None:
    """What kind of payment card has this number; a ``rare`` one is only taken for one where the text before says so."""
    if not luhn_holds(digits):
        return None
    return "common" if _begins_like(digits, _CARDS) else "rare" if _begins_like(digits, _RARE_CARDS) else None


def _begins_like(digits: str, cards: Sequence[tuple[str, str, tuple[int, ...]]]) -> bool:
    return any(len(digits) in lengths and first <= digits[: len(first)] <= last for first, last, lengths in cards)


def is_iban(compact: str) -> bool:
    """Whether an upper-case account number without spaces has its country's length and the right remainder."""
    if IBAN_LENGTHS.get(compact[:2]) != len(compact) or not compact.isascii() or not compact.isalnum():
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1
