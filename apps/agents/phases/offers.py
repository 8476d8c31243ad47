"""What stands in for a refused wish: a question that selects what was meant, so that it can be looked at.

>>> selecting("delete all failed tasks")
'list all failed tasks'
"""

import re

from apps.llm.language import words

_DESTRUCTIVE = re.compile(
    r"\b(?:detach\s+delete|delete|remove|erase|drop|wipe|destroy|purge|truncate|clear|reset|export|dump|overwrite|nuke"
    r"|cancella\w*|elimina\w*|rimuov\w*|distrugg\w*|svuota\w*|azzera\w*|esporta\w*|scarica\w*)\b(?:\s+out)?",
    re.IGNORECASE,
)
_NAMED = words.term_set(
    "user institution task file dataset sample experiment publication gene protein pathway tool workflow result node"
    " relationship"
)
_LEAST_WORDS, _MOST_CHARS = 2, 300


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
