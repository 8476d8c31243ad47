"""A question in, a query out, or why not. Nothing is guessed: each word is accounted for, or there is no query."""

from dataclasses import dataclass

from apps.graph import schema
from apps.graph.cypher.printer import print_statement
from apps.graph.nl2cypher.grammar import phrases, questions
from apps.graph.nl2cypher.grammar.building import build
from apps.graph.nl2cypher.grammar.contradictions import contradiction_in
from apps.graph.nl2cypher.grammar.describing import described
from apps.graph.nl2cypher.grammar.frames import Counting, Meaning
from apps.graph.nl2cypher.grammar.lattice import Lattice, lattice_of
from apps.graph.nl2cypher.grammar.reader import Reader, TooTangled
from apps.graph.nl2cypher.grammar.spelling import plural
from apps.graph.nl2cypher.types import Parameters

SHOWN_WORDS, SHOWN_CHARS = 6, 40
_FRONTED = frozenset(("in", "at", "since", "before", "after", "during", "between", "of", "among", "larger", "smaller",
                      "bigger", "longer", "shorter", "with", "without"))  # fmt: skip
EXAMPLES = ("how many tasks failed", "files larger than 10 MB produced by blast tasks", "tasks per user")


@dataclass(frozen=True, slots=True)
class Understood:
    """``reading``: the question in the grammar's own words. ``counts``: the noun of a bare count, one and many."""

    meaning: Meaning
    cypher: str
    parameters: Parameters
    reading: str
    counts: tuple[str, str] | None
    corrections: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """Why, what can be asked instead, and the words that mean nothing here."""

    reason: str
    hint: str
    words: tuple[str, ...] = ()


def understand(text: str) -> Understood | NotUnderstood:
    """The first reading that takes in the whole question; of "in Italy, how many users work" that of "how many users
    work in Italy", where it has none as it stands."""
    found = _understand(text)
    said_first, comma, rest = text.partition(", ")
    if isinstance(found, NotUnderstood) and comma and "," not in rest and said_first.split(" ")[0].lower() in _FRONTED:
        moved = _understand(f"{rest.rstrip('?.! ')} {said_first[0].lower()}{said_first[1:]}")
        return moved if isinstance(moved, Understood) else found
    return found


def _understand(text: str) -> Understood | NotUnderstood:
    try:
        lattice = lattice_of(text)
    except ValueError as error:
        return NotUnderstood(str(error), "Ask in fewer words.")
    read = Reader(lattice, phrases.things)
    try:
        meaning = questions.meaning_of(read)
    except TooTangled:
        return NotUnderstood("The question can be read in too many ways.", "Ask one thing at a time.")
    if meaning is None:
        return _why_not(read, lattice)
    excluded = contradiction_in(meaning)
    if excluded is not None:
        return NotUnderstood(
            f"Nothing has a {excluded} that is both at once.", "Ask for one or the other, or join them by 'or'."
        )
    query, parameters = build(meaning)
    counts = None
    if isinstance(meaning, Counting):
        noun = meaning.thing.noun
        counts = (noun, plural(noun))
    return Understood(meaning, print_statement(query), parameters, described(meaning), counts, lattice.corrections)


def _why_not(read: Reader, lattice: Lattice) -> NotUnderstood:
    said = [one for one in read.objections if any(word in one[1] for word in lattice.unknown)]
    if lattice.unknown and not said:
        words = ", ".join(f"'{word[:SHOWN_CHARS]}'" for word in lattice.unknown[:SHOWN_WORDS])
        return NotUnderstood(f"I do not know what {words} means here.", _can_ask(lattice), lattice.unknown)
    if not lattice.pieces:
        return NotUnderstood("There is no question in this.", _can_ask(lattice))
    if read.objections:
        asked = {piece.word for piece in lattice.pieces}
        furthest = max(said or read.objections, key=lambda one: (one[0], len(asked & set(one[1].lower().split()))))
        return NotUnderstood(furthest[1], _can_ask(lattice), lattice.unknown)
    return NotUnderstood("I know these words, but not this way to ask.", _can_ask(lattice))


def _can_ask(lattice: Lattice) -> str:
    """What there is to ask about the labels that the question names, or about the graph."""
    named = [tag.value.kind or tag.value.label for tags in lattice.tags for tag in tags if tag.kind == "NOUN"]
    told = [
        f"{name} has {', '.join(one.name for one in schema.label_named(name).properties)}"
        for name in dict.fromkeys(named)
    ]
    if told:
        return f"{'; '.join(told[:2])}. Ask for example: {EXAMPLES[0]}."
    labels = ", ".join(one.label for one in schema.LABELS)
    return f"The graph knows {labels}. Ask for example: {'; '.join(EXAMPLES)}."
