"""A goal in its steps, in the order they are asked for."""

import re

from apps.llm.language import words
from apps.llm.language.vocabulary import word_set
from apps.llm.language.words import READ_CHARS

MAX_STEPS = 32
_NUMBERED = re.compile(r"(?:^|(?<=[\s:;,.]))\(?\d{1,2}[.)]\s+(?=\S)")
_BULLET = re.compile(r"^[ \t]*[-*•][ \t]+", re.MULTILINE)
_THEN = re.compile(
    r"[,;.]?\s*\b(?:and then|and after that|after that|afterwards|and finally|finally|then|followed by"
    r"|e poi|ed infine|e infine|infine|poi|dopodiché|dopodiche|e successivamente|successivamente|quindi)\b[,:]?\s*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+(?=[^\W\d_])|\n+")
_AND = re.compile(
    r"\s*,\s*(?:and|e|ed)\s+|\s+(?:and also|as well as|and|e anche|nonché|ed|e)\s+|\s*,\s+", re.IGNORECASE
)
_FIRST = re.compile(
    r"^(?:first(?:ly|\s+of\s+all)?|second(?:ly)?|third(?:ly)?|prima di tutto|per prima cosa|prima)[,:]?\s+", re.I
)
_INTRODUCTION = re.compile(r"[^.!?\n]{0,200}:\s*\Z")


def steps_of(goal: str) -> list[str]:
    """Numbered and bulleted lists by their items, other text at "then" and between sentences."""
    goal = goal[:READ_CHARS].strip()
    for marks in (_NUMBERED, _BULLET):
        if len(marks.findall(goal)) > 1:
            lead, *items = marks.split(goal)
            kept = [] if _INTRODUCTION.match(lead) else [lead]
            return _clean([*kept, *items])
    parts = [part for sentence in _SENTENCE.split(goal) for part in _THEN.split(sentence)]
    return _clean(parts)


def conjuncts_of(step: str) -> list[str]:
    """A step at its "and" and its commas: only some of the parts are steps."""
    return _clean(_AND.split(step[:READ_CHARS]))


_COMMANDS = words.term_set(
    "list count delete create update search get run start stop cancel retry summarize explain classify send calculate"
    " export import restore compare sort plan describe check validate plot draw write report tell filter group"
    " load save"
    " controlla verifica valida disegna scrivi filtra raggruppa salva backup"
)
_QUESTIONS = word_set(
    "which what who whose how where when why is are do does can quale quali qual quanti quante chi cosa come dove"
    " quando perché"
)
_STATES = word_set(
    "i we my our the a an there it this these that he she they hi hello hey dear thanks thank please io noi mio mia il"
    " lo la gli un una ci ciao salve buongiorno grazie sono ho abbiamo mi"
)
_BACK = word_set(
    "them they their those these it its that this both each result results loro essi esse questi queste quelli quelle"
    " risultato risultati li le"
)


def is_command(part: str) -> bool:
    """Whether the part begins with a verb that asks for something."""
    first = [words.term(word) for word in words.words(part)[:2]]
    return bool(_COMMANDS.intersection(first))


def is_request(part: str) -> bool:
    """Whether the part asks for something: a command, or a question of its own."""
    first = words.words(part)[:1]
    return is_command(part) or bool(first and first[0].lower() in _QUESTIONS)


def is_statement(part: str) -> bool:
    """Whether the part only tells something: "My name is Anna", "the tasks were slow"."""
    first = words.words(part)[:1]
    return not part.rstrip().endswith("?") and bool(first and first[0].lower() in _STATES)


def refers_back(part: str) -> bool:
    """Whether the part speaks of what came before it: them, those, the results."""
    return any(word.lower() in _BACK for word in words.words(part))


def requests_of(goal: str) -> list[str]:
    """The requests of a goal, in order: its steps, and those conjuncts of a step that are all requests of their own.
    What only tells something stays with the request that follows it, or with the last.

    >>> requests_of("How many failed tasks are there, and which users run the most tasks?")
    ['How many failed tasks are there', 'which users run the most tasks?']
    """
    parts: list[str] = []
    for step in steps_of(goal):
        conjuncts = conjuncts_of(step)
        parts += conjuncts if len(conjuncts) > 1 and all(map(is_request, conjuncts)) else [step]
    found: list[str] = []
    said = ""
    for part in parts:
        if is_statement(part) and not is_command(part):
            said += f"{part}. "
        else:
            found.append(said + part)
            said = ""
    if said and found:
        found[-1] += f". {said.strip()}"
    return (found or [said.strip()] if said or found else [])[:MAX_STEPS]


def _clean(parts: list[str]) -> list[str]:
    cleaned = [_FIRST.sub("", part.strip().strip(",;").strip()).rstrip(" .;,") for part in parts]
    return [part for part in cleaned if any(letter.isalnum() for letter in part)][:MAX_STEPS]
