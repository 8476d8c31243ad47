"""What can be done to a text without understanding it: count, change the case, reverse, sort, extract, shorten."""

import re
from collections import Counter

from apps.llm.language import words
from apps.llm.providers.demo.conversation import fenced
from apps.llm.providers.demo.digests import shorten
from apps.llm.providers.demo.values import Values

MAX_WORKED = 1_000_000
SUMMARY_SENTENCES = 3
SUMMARY_CHARS = 900
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n{2,}")
_VERBS = (
    ("upper", r"(?:upper\s?case|capital\s+letters|capitals|uppercased|maiuscol[oae]|to\s+upper)"),
    ("lower", r"(?:lower\s?case|minuscol[oae]|to\s+lower)"),
    ("reverse", r"(?:reverse|backwards|spell\s+backwards|inverti|rovescia|al\s+contrario)"),
    ("sort", r"(?:sort|alphabetical(?:ly)?|ordina|ordine\s+alfabetico)"),
    ("unique", r"(?:unique|deduplicate|remove\s+duplicates|togli\s+i\s+duplicati|senza\s+duplicati)"),
    ("words", r"(?:(?:how\s+many|count(?:\s+the)?|number\s+of|quante|conta\s+le)\s+(?:words|parole))"),
    ("characters", r"(?:(?:how\s+many|count(?:\s+the)?|number\s+of|quanti|quante|conta\s+(?:i|le))\s+(?:characters"
                   r"|letters|caratteri|lettere))"),
    ("lines", r"(?:(?:how\s+many|count(?:\s+the)?|number\s+of|quante|conta\s+le)\s+(?:lines|righe))"),
    ("emails", r"(?:(?:extract|find|list|estrai|trova|elenca)\s+(?:all\s+)?(?:the\s+|le\s+|gli\s+"
               r"|tutte\s+le\s+)?e-?mails?)"),
    ("numbers", r"(?:(?:extract|find|list|estrai|trova|elenca)\s+(?:all\s+)?(?:the\s+|i\s+"
                r"|tutti\s+i\s+)?(?:numbers|numeri))"),
    ("urls", r"(?:(?:extract|find|list|estrai|trova|elenca)\s+(?:all\s+)?(?:the\s+|gli\s+|i\s+)?(?:urls?|links?|url))"),
    ("items", r"(?:(?:extract|make|estrai|fai)\s+(?:the\s+|a\s+|una\s+|la\s+)?(?:list|items|lista|elementi))"),
)  # fmt: skip
_WORK = [(name, re.compile(rf"\b{pattern}\b", re.IGNORECASE)) for name, pattern in _VERBS]


def work(text: str, instruction: str) -> str | None:
    """The text worked on as the instruction says; None when it says nothing of the kind or gives no text."""
    for name, pattern in _WORK:
        match = pattern.search(instruction[:2_000])
        if match:
            body = body_of(text, match.group(0))
            return _done(name, body) if body else None
    return None


def body_of(text: str, verb: str = "") -> str:
    """What is to be worked on: a fenced block, what is quoted, what follows a colon or a line's end, or the verb."""
    blocks = fenced(text)
    if blocks:
        return blocks[0]
    quoted = Values(text).quoted
    if quoted:
        return max(quoted, key=len)
    for mark in (":\n", ": ", "\n"):
        head, found, rest = text.partition(mark)
        if found and rest.strip() and len(head) < 300:
            return rest.strip()
    at = text.lower().find(verb.lower()) if verb else -1
    if at < 0:
        return ""
    after = re.sub(
        r"^\W*(?:the\s+)?(?:word|text|string|parola|testo|stringa|of|di|in|the|il|la)?s?\b\s*",
        "",
        text[at + len(verb) :],
        flags=re.I,
    )
    return after.strip(" .?!:")


def gist(text: str) -> str:
    """The sentences with the text's most frequent words, in their order, and how much there was."""
    sentences = [part.strip() for part in _SENTENCE.split(text[: words.READ_CHARS]) if part.strip()]
    if len(sentences) <= SUMMARY_SENTENCES and len(text) <= SUMMARY_CHARS:
        return " ".join(sentences)
    weight = Counter(term for sentence in sentences for term in words.terms(sentence))
    scored = []
    for order, sentence in enumerate(sentences[:400]):
        found = words.terms(sentence)
        scored.append((-sum(weight[term] for term in found) / (len(found) + 4) - (order == 0), order))
    kept = sorted(order for _, order in sorted(scored)[:SUMMARY_SENTENCES])
    return shorten(" ".join(shorten(sentences[order], 400) for order in kept), SUMMARY_CHARS)


def _done(name: str, body: str) -> str:
    body = body[:MAX_WORKED]
    values = Values(body)
    if name == "upper":
        return body.upper()
    if name == "lower":
        return body.lower()
    if name == "reverse":
        return body[::-1]
    if name == "words":
        return f"{len(body.split())}"
    if name == "characters":
        return f"{len(body)}"
    if name == "lines":
        return f"{len(body.splitlines())}"
    if name in ("sort", "unique", "items"):
        items = [
            item.strip(" .")
            for item in re.split(r"\n|,|;|\s+(?:and|e)\s+", body[: words.READ_CHARS])
            if item.strip(" .")
        ]
        items = items if len(items) > 1 else body[: words.READ_CHARS].split()
        done = sorted(items, key=words.fold) if name == "sort" else list(dict.fromkeys(items))
        return "\n".join(f"- {item}" for item in done) if name == "items" else ", ".join(done)
    found = {"emails": values.emails, "numbers": [f"{number}" for number in values.numbers], "urls": values.urls}[name]
    return ", ".join(dict.fromkeys(found)) or "-"
