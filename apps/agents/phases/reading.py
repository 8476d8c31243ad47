"""A prompt as it is read for its category: without what cannot be seen, with what is disguised, own words apart.

>>> read("delete\\u200b all tasks").text
'delete all tasks'
"""

import base64
import binascii
import codecs
import re
import unicodedata
from dataclasses import dataclass

from apps.llm.language import words

# Zero-width signs, directions, tag characters, variation selectors: models read them, people do not see them.
_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e0fff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
_BASE64 = re.compile(r"(?<![\w+/=-])[A-Za-z0-9+/_-]{16,4000}={0,2}(?![\w+/=-])")
_FENCE = re.compile(r"```[^\n`]{0,40}+\n?+([^`]*+)(?:```|\Z)")
_QUOTED = re.compile(r"\"[^\"\n]{3,4000}\"|«[^»\n]{3,4000}»|“[^”\n]{3,4000}”|`[^`\n]{3,4000}`")
_ABOUT_TEXT = words.term_set(
    "summarize translate classify rewrite rephrase shorten polish proofread correct paraphrase extract reword"
    " spellcheck format riscrivi riformula correggi"
)
DECODED_MAX = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """``text``: all of it, visible. ``own``: without fences and quotes, what the person says themselves. ``decoded``:
    texts that were disguised in it. ``hidden``: how many invisible characters it had."""

    text: str
    own: str
    decoded: tuple[str, ...] = ()
    hidden: int = 0

    @property
    def is_about_text(self) -> bool:
        """Whether the person wants something done with the text they brought, rather than what it says."""
        return self.own != self.text and bool(_ABOUT_TEXT.intersection(words.all_terms(self.own[:2_000])))


def read(prompt: str) -> Reading:
    """The prompt's reading. Takes time in proportion to its length."""
    visible, hidden = _HIDDEN.subn("", prompt)
    text = unicodedata.normalize("NFKC", visible).strip()
    own = " ".join(_QUOTED.sub(" ", _FENCE.sub(" ", text)).split()) if any(mark in text for mark in '`"«“') else text
    return Reading(text, own if own != " ".join(text.split()) else text, tuple(_decoded(text)), hidden)


def _decoded(text: str) -> list[str]:
    found = []
    for blob in _BASE64.findall(text)[:DECODED_MAX]:
        try:
            plain = base64.b64decode(blob.replace("-", "+").replace("_", "/") + "=" * (-len(blob.rstrip("=")) % 4))
            decoded = plain.decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        if decoded.isprintable() and " " in decoded:
            found.append(decoded)
    if re.search(r"\brot-?13\b", text, re.IGNORECASE):
        found.append(codecs.decode(text, "rot13"))
    return found
