"""Values that stand in a text: quoted strings, numbers, ids, dates, addresses, name=value pairs, lists."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.llm.language import vocabulary, words

MAX_FOUND = 200
_QUOTED = re.compile(
    r"\"([^\"\n]{1,2000})\"|“([^”\n]{1,2000})”|«([^»\n]{1,2000})»|`([^`\n]{1,2000})`|(?<!\w)'([^'\n]{1,500})'(?!\w)"
)
_NUMBER = re.compile(r"(?<![\w.-])-?\d{1,15}(?:\.\d{1,15})?(?:[eE][-+]?\d{1,2})?(?![\w-])(?!\.\d)")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_ID = re.compile(r"(?<![\w@./-])(?=[\w-]{0,60}\d)(?=[\w-]{0,60}[A-Za-z_])[\w-]{2,64}(?![\w@/-])")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}")
_URL = re.compile(r"\b(?:https?|s3|ftp|bolt)://[^\s<>\"'`]{1,500}")
_IPV4 = re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])")
_ISO_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[-+]\d\d:\d\d)?")
_ISO_DATE = re.compile(r"\b(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])\b")
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})[/.](\d{1,2})[/.](\d{4})(?![\d/])")
_MONTHS = (
    "january gennaio jan gen,february febbraio feb,march marzo mar,april aprile apr,may maggio mag,june giugno jun"
    " giu,"
    "july luglio jul lug,august agosto aug ago,september settembre sep set,october ottobre oct ott,"
    "november novembre nov,december dicembre dec dic"
)
_MONTH = {name: number for number, names in enumerate(_MONTHS.split(","), 1) for name in names.split()}
_SPOKEN = re.compile(
    rf"\b(?:(\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?({'|'.join(_MONTH)})\s+(\d{{4}})"
    rf"|({'|'.join(_MONTH)})\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}}))\b",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"(?<![\w.])([A-Za-z_][\w.-]{0,60})\s*(?:=|:)\s*(\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|[^\s,;:=\"']{1,200})"
)
_SYMBOL = re.compile(r"\b(?:[A-Z][A-Z0-9]{1,11}|[A-Z][a-z]+(?:[A-Z][a-z]+)+)\b")
_PROPER = re.compile(r"(?<![.!?\w]\s)(?<!^)(?<![\w'])[A-Z][\w'’-]{1,40}(?:\s+[A-Z][\w'’-]{1,40}){0,3}")
_OBJECT = re.compile(
    r"\b(?:named|called|about|for|in|of|on|from|at|to|chiamat[oa]|riguardo a|riguardo|su|per|di|del|della|dello"
    r"|dei|nel|nella|a)"
    r"\s+(?:the\s+|il\s+|la\s+|lo\s+|gene\s+|protein\s+|city\s+of\s+)?([\w'’.@-]{1,80}(?:\s+[A-Z][\w'’-]{0,40}){0,3})"
)
_TOPIC = re.compile(
    r"\b(?:about|for|named|called|regarding|on|chiamat[oaie]|riguardo\s+a|su|sul|sulla|sui)\s+(?:the\s+|il\s+"
    r"|la\s+)?([\w'’-]{2,80}(?:\s+[\w'’-]{2,40}){0,3}?)"
    r"(?=[\s.,;:!?]*$|\s+(?:in|from|with|and|nel|di|da|e|con)\b)",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*(?:,|;|\n|\s+(?:and|or|e|ed|o)\s+)\s*")
_CYPHER = re.compile(
    r"(?:\b(?:OPTIONAL\s+)?MATCH\s*\(|\bMERGE\s*\(|\bCREATE\s*[(]|\bUNWIND\s|\bCALL\s+[a-z]\w*\.|\bSHOW\s+\w+|"
    r"\bRETURN\s+\d)[^`]{0,4000}", re.IGNORECASE
)  # fmt: skip


@dataclass(frozen=True)
class Values:
    """The values of one text, each kind found when it is asked for. ``text`` is bounded by the reader's limit."""

    full_text: str

    @cached_property
    def text(self) -> str:
        return self.full_text[: words.READ_CHARS]

    @cached_property
    def terms(self) -> list[str]:
        return words.terms(self.text)

    @cached_property
    def sequence(self) -> list[str]:
        """Every word's term, stop words too, in order."""
        return words.all_terms(self.text)

    @cached_property
    def quoted(self) -> list[str]:
        return [next(filter(None, groups)) for groups in _QUOTED.findall(self.text)][:MAX_FOUND]

    @cached_property
    def numbers(self) -> list[int | float]:
        unaddressed = _ISO_TIME.sub(" ", self.text)
        for pattern in (_UUID, _ISO_DATE, _SLASHED, _SPOKEN, _IPV4):
            unaddressed = pattern.sub(" ", unaddressed)
        return [number_of(found) for found in _NUMBER.findall(unaddressed)][:MAX_FOUND]

    @cached_property
    def uuids(self) -> list[str]:
        return _UUID.findall(self.text)[:MAX_FOUND]

    @cached_property
    def ids(self) -> list[str]:
        """UUIDs, and words of letters and digits: job-17, BRCA1, tenant_3."""
        rest = _UUID.sub(" ", _ISO_TIME.sub(" ", self.text))
        return (self.uuids + [found for found in _ID.findall(rest) if not _SPOKEN.search(found)])[:MAX_FOUND]

    @cached_property
    def emails(self) -> list[str]:
        return _EMAIL.findall(self.text)[:MAX_FOUND]

    @cached_property
    def urls(self) -> list[str]:
        return [found.rstrip(".,;:!?)") for found in _URL.findall(self.text)][:MAX_FOUND]

    @cached_property
    def ipv4(self) -> list[str]:
        return _IPV4.findall(self.text)[:MAX_FOUND]

    @cached_property
    def times(self) -> list[str]:
        return _ISO_TIME.findall(self.text)[:MAX_FOUND]

    @cached_property
    def dates(self) -> list[str]:
        """As YYYY-MM-DD, in their order by kind of spelling; 3/4/2024 is the third of April."""
        found = ["-".join(groups) for groups in _ISO_DATE.findall(self.text)]
        found += [f"{year}-{int(month):02}-{int(day):02}" for day, month, year in _SLASHED.findall(self.text)
                  if 1 <= int(month) <= 12 and 1 <= int(day) <= 31]  # fmt: skip
        for day, month, year, month_2, day_2, year_2 in _SPOKEN.findall(self.text):
            found.append(f"{year or year_2}-{_MONTH[(month or month_2).lower()]:02}-{int(day or day_2):02}")
        return found[:MAX_FOUND]

    @cached_property
    def pairs(self) -> dict[str, Any]:
        """``limit=5`` and ``status: failed``; numbers and true/false as such."""
        found = {}
        for name, raw in _PAIR.findall(self.text)[:MAX_FOUND]:
            if not raw.startswith("//"):
                found[name] = raw[1:-1] if raw[:1] in "\"'" else plain_value(raw.rstrip(".!?)"))
        return found

    @cached_property
    def symbols(self) -> list[str]:
        """Words in capitals or humps: TP53, BlastDb."""
        return [found for found in _SYMBOL.findall(self.text) if not found.isdigit()][:MAX_FOUND]

    @cached_property
    def proper_names(self) -> list[str]:
        return _PROPER.findall(self.text)[:MAX_FOUND]

    @cached_property
    def objects(self) -> list[str]:
        """What follows "for", "in", "about", "di", ...: Bologna in "the weather in Bologna"."""
        return [found.rstrip(".,;:!?") for found in _OBJECT.findall(self.text)][:MAX_FOUND]

    @cached_property
    def topics(self) -> list[str]:
        """What follows "about", "for", "named", "su", ...: cancer in "publications about cancer"."""
        return [found.rstrip(".,;:!?") for found in _TOPIC.findall(self.text)][:MAX_FOUND]

    @cached_property
    def cypher(self) -> str | None:
        match = _CYPHER.search(self.text)
        return match.group(0).strip() if match else None

    def after_name(self, name_words: list[str]) -> Any:
        """The value said with a name: ``tenant acme``, ``limit is 5``, ``5 seconds``. None when there is none."""
        wanted = [words.term(word) for word in name_words if len(word) > 1 or len(name_words) == 1]
        if not wanted:
            return None
        for name, value in self.pairs.items():
            if [words.term(word) for word in words.name_words(name)] == wanted:
                return value
        return self._spoken_after(wanted)

    def _spoken_after(self, wanted: list[str]) -> Any:
        tokens = _TOKENS.findall(self.text)
        said = [words.term(token) for token in tokens]
        for start in range(len(tokens) - len(wanted)):
            if said[start : start + len(wanted)] != wanted:
                continue
            after = start + len(wanted)
            while after < len(tokens) and tokens[after].lower() in _LINKS:
                after += 1
            if after < len(tokens) and _is_value(tokens[after]):
                return plain_value(tokens[after].rstrip("."))
        return None

    def listed(self) -> list[str]:
        """The items of the list in the text: after its colon, else its quoted strings, else around commas."""
        body = self.text.rpartition(": ")[2] if ": " in self.text else ""
        items = [item.strip(" .!?\"'-*•") for item in _LISTED.split(body)] if body else list(self.quoted)
        if not items and "," in self.text:
            items = [item.strip(" .!?\"'") for item in _LISTED.split(self.text)]
        return [item for item in items if item][:MAX_FOUND]


_LINKS = vocabulary.word_set(
    "is are equals = : of to as id number named called è di uguale a numero del della chiamato"
)
_TOKENS = re.compile(r"[\w@./-]+")


def _is_value(token: str) -> bool:
    """A word that can be a value without quotes: with a digit, a capital or a hyphen inside, or no ordinary word."""
    word = token.rstrip(".")
    if any(letter.isdigit() for letter in word) or "@" in word or "/" in word.strip("/") or "-" in word.strip("-"):
        return True
    return len(word) > 1 and word.lower() not in vocabulary.STOP_WORDS and word.lower() not in vocabulary.CONCEPTS


def number_of(raw: str) -> int | float:
    """An int where it is whole and written so."""
    return float(raw) if any(mark in raw for mark in ".eE") else int(raw)


def plain_value(raw: str) -> Any:
    """A number, true or false where the word is one; the word otherwise."""
    if _NUMBER.fullmatch(raw):
        return number_of(raw)
    return {"true": True, "false": False, "yes": True, "no": False}.get(raw.lower(), raw)


def without_quotes(text: str) -> str:
    """The text with what is quoted taken out: what is asked, without what it is asked about."""
    return _QUOTED.sub(" ", text)
