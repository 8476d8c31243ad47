"""What stands in for a refused wish: a question that selects what was meant, so that it can be looked at.

>>> selecting("delete all failed tasks")
'list all failed tasks'
"""

import re

from apps.llm.language import words

_DESTRUCTIVE = re.compile(
    r"\b(?:detach\s+delete|delet(?:e|ed|es|ing)|remov(?:e|ed|es|ing)|eras(?:e|ed|ing)|drop(?:ped|s)?|wiped?|destroy(?:ed)?"
    r"|purged?|truncated?|clear(?:ed)?|reset|export(?:ed)?|dump(?:ed)?|overwrite|nuke|get\s+rid\s+of|throw\s+away|empty|flush"
    r"|cancella\w*|elimina\w*|rimuov\w*|distrugg\w*|svuota\w*|azzera\w*|esporta\w*|scarica\w*)\b(?:\s+out)?",
    re.IGNORECASE,
)
_NAMED = words.term_set(
    "user institution task file dataset sample experiment publication gene protein pathway tool workflow result node"
    " relationship"
)
_LEAST_WORDS, _MOST_CHARS = 2, 300


_EXPLAINING = re.compile(
    r"^\W*(?:please\s+|per\s+favore\s+)?(?:can\s+you\s+|could\s+you\s+|puoi\s+)?(?:(?:explain|show|describe|tell)(?:\s+me)?"
    r"|spieg\w+|mostra\w*|descriv\w+|how(?!\s+(?:many|much)\b)|come|what|che\s+cosa|cosa)?\s*(?:"
    r"(?:how(?!\s+(?:many|much)\b)|come)\s+(?:would\s+you|you\s+would|do\s+you|you|to|would\s+i|si\s+farebbe\s+a|si)?\s*|"
    r"(?:would\s+(?:you|happen\s+if\s+(?:i|we|you|somebody))|happens\s+if\s+(?:i|we|you)|succede(?:rebbe)?\s+se)\s+|"
    r"(?:the\s+)?(?:cypher(?:\s+query)?|query|plan)\s+(?:that|which|to|for|of|would|plan\s+(?:for|of))\s+"
    r"|la\s+query\s+(?:che|per)\s+|(?:expensive|costly)\s+would\s+it\s+be\s+to\s+|)",
    re.IGNORECASE,
)
_PLAIN_VERBS = {
    "lists": "list", "listing": "list", "counts": "count", "counting": "count", "counted": "count", "shows": "show",
    "showing": "show", "finds": "find", "finding": "find", "returns": "list",
    "conteresti": "quanti sono", "elenca": "elenca",
    "cercheresti": "cerca", "troveresti": "trova", "elencheresti": "elenca", "contare": "quanti sono",
}  # fmt: skip
_MATCH = re.compile(r"\b(?:optional\s+)?match\s*\(", re.IGNORECASE)
_RETURN = re.compile(r"\breturn\b", re.IGNORECASE)
_NOT_RUN = re.compile(
    r"[,;]?\s*\b(?:without\s+(?:running|executing)\s*(?:it|anything|the\s+query)?|(?:but\s+)?(?:do\s+not|don't|never)\s+(?:run|execute)"
    r"\s*(?:it)?|senza\s+eseguir\w+(?:\s+nulla)?|ma\s+non\s+eseguir\w+|dry[- ]run)\b",
    re.IGNORECASE,
)


def explained(wish: str) -> str:
    """What a request for an explanation is about, as a question: without "explain how you would", "without running it".

    >>> explained("Explain how you would count the failed tasks, without running it")
    'count the failed tasks'
    >>> explained("explain how many genes there are")
    'how many genes there are'
    """
    start = _MATCH.search(wish)
    if start is not None and _RETURN.search(wish, start.end()):
        return wish[start.start() :].strip(" `\n")
    text = _NOT_RUN.sub("", " ".join(wish.split())[: _MOST_CHARS * 4])
    rest = _EXPLAINING.sub("", text, count=1).strip(" ,:.?")
    first, _, others = rest.partition(" ")
    rest = f"{_PLAIN_VERBS.get(first.lower(), first)} {others}".strip()
    return rest if len(words.words(rest)) >= _LEAST_WORDS else wish


def selecting(wish: str) -> str:
    """The wish as a question that only reads; "" when it is not about things of the graph, or is Cypher itself."""
    text = " ".join(wish.split())[: _MOST_CHARS * 4]
    found = _DESTRUCTIVE.search(text)
    if found is None or "(" in text:
        return ""
    rest = re.split(r"[.;!?\n]|\b(?:and|then|e poi)\b", text[found.end() :], maxsplit=1)[0].strip(" ,:")
    if not set(words.all_terms(rest)) & _NAMED or len(words.words(rest)) < _LEAST_WORDS:
        return f"list all {rest}" if set(words.all_terms(rest)) & _NAMED else ""
    verb = "elenca" if words.is_italian(wish) else "list"
    return f"{verb} {rest}"[:_MOST_CHARS]
