"""Keys, tokens and passwords in a text: by the marks that their makers give them, or by the word before them.

A finder as those of kernel.pii.kinds, save that what it returns is only the head of a secret that may be of any length:
TAIL takes the rest. The marks and names are looked for as plain text, and a pattern is tried only where one stands.
"""

import re
from functools import partial

from kernel.pii.kinds import Finder, Found

_T = r"[A-Za-z0-9_-]"
_MARKED: dict[str, str] = {
    "eyJ": rf"eyJ{_T}{{8,380}}\.eyJ{_T}{{4}}",  # JSON web token
    "sk-": rf"sk-(?:(?:proj|ant|or|live|test|svcacct)-{_T}{{10}}|(?={_T}{{0,48}}\d){_T}{{16}})",
    "sk_": rf"sk_(?:live|test)_{_T}{{10}}",
    "rk_": rf"rk_(?:live|test)_{_T}{{10}}",
    "pk_": rf"pk_(?:live|test)_{_T}{{10}}",
    "AKIA": r"AKIA(?=[0-9A-Z]{0,15}\d)[0-9A-Z]{16}(?![0-9A-Za-z])",  # a digit: it is no peptide
    "ASIA": r"ASIA(?=[0-9A-Z]{0,15}\d)[0-9A-Z]{16}(?![0-9A-Za-z])",
    **{mark: rf"{mark}[A-Za-z0-9]{{20}}" for mark in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "hf_", "npm_")},
    "github_pat_": r"github_pat_\w{20}",
    "glpat-": rf"glpat-{_T}{{16}}",
    "xox": rf"xox[abeoprs]-(?={_T}{{0,24}}\d){_T}{{10}}",
    "AIza": rf"AIza{_T}{{30}}",
    "SG.": rf"SG\.{_T}{{16,32}}\.{_T}{{16}}",
    "ya29.": rf"ya29\.{_T}{{20}}",
}
MARKS = {mark: re.compile(r"(?<![A-Za-z0-9_])" + pattern) for mark, pattern in _MARKED.items()}

_MARKS_BY_CHAR = tuple(
    (char, tuple(mark for mark in MARKS if next((part for part in "-_.Jx" if part in mark), "A") == char))
    for char in "-_.JxA"
)

PASSWORDS = (
    "password", "passwort", "passwd", "passphrase", "pwd", "psw", "kennwort", "contraseña", "contrasena",
    "mot de passe", "parola d'ordine",
)  # fmt: skip
NAMES = ("key", "token", "secret", "bearer", *PASSWORDS)
TAIL = re.compile(r"""[^\s"'`&,;<>(){}\[\]\\|]*""")

_KEY_OF = re.compile(
    r"(?:api|access|secret|private|auth|encryption|signing|account|subscription)[ _-]?\Z", re.IGNORECASE
)
_BEHIND_NAME = re.compile(
    r"""(?:\\?["'])?[ ]?(?:[=:]|is[ ])[ ]{0,3}(?:\\?["'])?(?:(?:Bearer|Basic)[ ])?
    (?P<value>[^\s"'`&,;<>(){}\[\]\\|/*]{6,40})""",
    re.VERBOSE,
)
_BEHIND_BEARER = re.compile(r"\s{1,3}(?=[\w.~+/=-]{0,40}\d)(?P<value>[\w.~+/=-]{16})")
_HEAD_MAX = 48  # from a name to its value


def may_be_in(text: str) -> bool:
    """Whether a secret could be in this text at all. One character that is missing rules out many marks."""
    for needed, marks in _MARKS_BY_CHAR:
        if needed in text:
            for mark in marks:
                if mark in text:
                    return True
    lowered = text.lower()
    if "=" in text or ":" in text or "is " in text:
        for name in NAMES:
            if name in lowered:
                return True
    return "bearer" in lowered


def find_secret(text: str, pos: int) -> Found | None:
    """The next head of a secret; it begins at ``pos`` or later, though the name before it may not."""
    lowered = _lowered(text)
    spans = [span for mark, pattern in MARKS.items() if (span := _marked(text, pos, mark, pattern))]
    spans += [span for name in NAMES if (span := _named(text, lowered, pos, name))]
    return (*min(spans), "secret") if spans else None


def finders_in(text: str) -> dict[str, Finder]:
    """The same for one text, apart by mark and name, of those that it holds: whoever asks again and again behind each
    match remembers what each of them found, and the text is not walked through anew for all."""
    lowered = _lowered(text)
    finders: dict[str, Finder] = {}
    for mark, pattern in MARKS.items():
        if mark in text:
            finders[f"secret:{mark}"] = partial(_of_mark, mark=mark, pattern=pattern)
    for name in NAMES:
        if name in lowered:
            finders[f"secret:{name}"] = partial(_of_name, lowered=lowered, name=name)
    return finders


def _lowered(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capital letters have small ones of two characters
        lowered = "".join(char if len(char.lower()) > 1 else char.lower() for char in text)
    return lowered


def _of_mark(text: str, pos: int, *, mark: str, pattern: re.Pattern[str]) -> Found | None:
    span = _marked(text, pos, mark, pattern)
    return (*span, "secret") if span else None


def _of_name(text: str, pos: int, *, lowered: str, name: str) -> Found | None:
    span = _named(text, lowered, pos, name)
    return (*span, "secret") if span else None


def _marked(text: str, pos: int, mark: str, pattern: re.Pattern[str]) -> tuple[int, int] | None:
    place = text.find(mark, pos)
    while place >= 0:
        if match := pattern.match(text, place):
            return match.span()
        place = text.find(mark, place + 1)
    return None


def _named(text: str, lowered: str, pos: int, name: str) -> tuple[int, int] | None:
    behind = _BEHIND_BEARER if name == "bearer" else _BEHIND_NAME
    place = lowered.find(name, max(0, pos - _HEAD_MAX))
    while place >= 0:
        match = behind.match(text, place + len(name))
        if match and match.start("value") >= pos and _is_secret(name, text[max(0, place - 16) : place], match["value"]):
            return match.span("value")
        place = lowered.find(name, place + 1)
    return None


def _is_secret(name: str, before: str, value: str) -> bool:
    """Made by a machine, not a word of a sentence: letters and digits mixed, and long unless it is a password."""
    digits, small, large = (any(map(test, value)) for test in (str.isdigit, str.islower, str.isupper))
    if name == "bearer":
        return not before[-1:].isalnum()
    if name in PASSWORDS:
        return digits or any(char in "!$%^#@?" for char in value[:-1])
    if name == "key" and not _KEY_OF.search(before):
        return not before[-1:].isalnum() and len(value) >= 20 and digits and small and large
    if name == "token" and (before[-1:].isalnum() or before.lower().endswith("page_")):
        return False
    return len(value) >= 12 and digits and (small or large)
