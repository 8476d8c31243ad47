"""Text as terms that can be compared: folded, cut to a stem, synonyms in English and Italian made one."""

import re
import unicodedata
from functools import lru_cache

from apps.llm.language.vocabulary import CONCEPTS, ENGLISH_MARKS, ITALIAN_MARKS, STOP_WORDS

READ_CHARS = 20_000  # of a text that is read for its meaning; tables are read whole
_WORD = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ENDINGS = (
    "zioni", "zione", "ations", "ation", "amenti", "amento", "ing", "ies", "ied", "ed", "es", "s",
)  # fmt: skip
_LEAST = 3  # letters that a stem keeps


def fold(text: str) -> str:
    """Lower case without accents; the length may change."""
    if text.isascii():
        return text.lower()
    return "".join(part for part in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(part))


def words(text: str) -> list[str]:
    """The words as they stand, in order, of the first READ_CHARS."""
    return _WORD.findall(text[:READ_CHARS])


def name_words(name: str) -> list[str]:
    """``listRunning_jobs.v2`` as list, Running, jobs, v2."""
    return _WORD.findall(_HUMP.sub(" ", name[:500]).replace("_", " "))


@lru_cache(maxsize=20_000)
def term(word: str) -> str:
    """What a word stands for: its concept if the vocabulary has it, else its stem."""
    word = word[:60].lower()
    concept = CONCEPTS.get(word)
    if concept is None:
        folded = fold(word)
        concept = CONCEPTS.get(folded)
        if concept is None:
            stemmed = _stem(folded)
            concept = _STEMMED.get(stemmed, stemmed)
    return concept


def terms(text: str) -> list[str]:
    """The terms that carry meaning, in order, each once."""
    return list(dict.fromkeys(term(word) for word in words(text) if word.lower() not in STOP_WORDS))


def term_set(line: str) -> frozenset[str]:
    """The terms of the words of a line."""
    return frozenset(term(word) for word in line.split())


def all_terms(text: str) -> list[str]:
    """Every word's term, in order, with repetitions and stop words."""
    return [term(word) for word in words(text)]


def is_italian(text: str) -> bool:
    """Whether more of its marking words are Italian than English."""
    found = [word.lower() for word in words(text[:2_000])]
    italian = sum(word in ITALIAN_MARKS for word in found)
    return italian > sum(word in ENGLISH_MARKS for word in found)


def _stem(word: str) -> str:
    if not word.isascii() or word.isdigit() or len(word) <= _LEAST:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    if len(word) > _LEAST and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]
    while len(word) > _LEAST and word[-1] in "aeiouy":
        word = word[:-1]
    return word


_STEMMED: dict[str, str] = {}
for _word, _concept in CONCEPTS.items():
    _STEMMED.setdefault(_stem(fold(_word)), _concept)
