"""A text made shorter by keeping its weightiest sentences, word for word: no model, nothing understood. Pure.

>>> sentences("One. Two! Is 3.5 three? Yes.")
['One.', 'Two!', 'Is 3.5 three?', 'Yes.']
"""

import heapq
import re
from collections import Counter

from apps.llm.language import words

SENTENCES_READ = 2_000
_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\n\s*\n|\n(?=\s*[-*•\d])")
LEAST = 0.25  # of the weightiest sentence's weight; what weighs less is left out, though there were room
_FIRST = 1.25  # how much more the first sentence weighs: texts begin with what they are about


def sentences(text: str) -> list[str]:
    """The sentences, lines of lists and paragraphs, in order."""
    return [" ".join(part.split()) for part in _END.split(text) if part.strip()]


def extract(text: str, max_words: int) -> list[str]:
    """The weightiest sentences that have at most so many words together, in the order of the text.

    A sentence weighs what its terms weigh, a term by how often the text has it; what was kept already counts less, so
    that the same is not said twice. Where all that weigh enough are too long, the beginning of one, with an ellipsis.
    """
    said = list(dict.fromkeys(sentences(text)))[:SENTENCES_READ]
    terms = [frozenset(words.terms(sentence)) for sentence in said]
    weight = {term: float(count) for term, count in Counter(term for found in terms for term in found).items()}
    heap = [(-_score(found, weight, first=place == 0), place) for place, found in enumerate(terms)]
    least = LEAST * min(heap, default=(0.0, 0))[0]
    heap = [pair for pair in heap if pair[0] <= least]
    heapq.heapify(heap)
    left, kept, too_long = max_words, dict[int, str](), list[int]()
    while heap and left > 0:
        place = heapq.heappop(heap)[1]
        score = -_score(terms[place], weight, first=place == 0)
        if heap and (score, place) > heap[0]:  # weighs less than when it was last looked at
            heapq.heappush(heap, (score, place))
        elif (length := count_words(said[place])) > left:
            too_long.append(place)
        else:
            kept[place] = said[place]
            left -= length
            for term in terms[place]:
                weight[term] /= 2
    if not kept and too_long:
        return [cut(said[too_long[0]], max_words)]
    return [kept[place] for place in sorted(kept)]


def count_words(text: str) -> int:
    return len(text.split())


def cut(text: str, max_words: int) -> str:
    """At most so many words, with an ellipsis where something is left out."""
    found = text.split()
    return text.strip() if len(found) <= max_words else " ".join(found[:max_words]) + " …"


def _score(terms: frozenset[str], weight: dict[str, float], *, first: bool) -> float:
    share = sum(weight[term] for term in terms) / (len(terms) + 4)
    return share * _FIRST if first else share
