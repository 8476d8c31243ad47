"""Text that arrives in pieces: what leaves is what the whole text would have become, however it was cut.

Text is held back while what follows could still make it part of a match: the last word, digits until a real word
follows, what stands behind "password:" and the like. Nothing is held longer than LOOK_AHEAD characters, for by then
every finder has seen all it looks at (kernel.pii.kinds); a secret that is longer is swallowed to its end without being
kept. Between two pieces at most LOOK_BACK + LOOK_AHEAD characters are in memory.
"""

import re

from kernel.pii import secrets
from kernel.pii.kinds import LOOK_AHEAD, LOOK_BACK
from kernel.pii.text import Counts, Mode, Search, finders_for, keyed_digest, replacement, shown_digest, tail_end

_DIGIT = re.compile(r"\d")
_LAST_WORD = re.compile(r"\S*\Z")
_CLOSING_WORD = re.compile(r"(?<=\s)[^\W\d_]{5,}[^\w\s]*\s")  # no number goes on behind it
_NAME = re.compile("|".join(map(re.escape, secrets.NAMES)), re.IGNORECASE)
_SPACES_BEHIND_NAME = 7  # `token is   "Bearer ` has six


class StreamScrubber:
    """``feed`` pieces, send what it returns; ``flush`` at the end. ``counts``: values replaced so far, by kind."""

    def __init__(self, mode: Mode, key: bytes) -> None:
        self.mode, self.key = mode, key
        self.counts: Counts = {}
        self._text = ""  # what may still be looked at
        self._done = 0  # how much of it has left
        self._secret = keyed_digest(key)
        self._in_secret = False

    def feed(self, piece: str) -> str:
        """What can be sent now; often less than came in, later more."""
        if self.mode == "off":
            return piece
        self._text += piece
        return self._scrub(final=False)

    def flush(self) -> str:
        """What was still held back. The scrubber can then be used for another text."""
        rest = self._scrub(final=True)
        self._text, self._done, self._in_secret = "", 0, False
        return rest

    def _scrub(self, *, final: bool) -> str:
        out: list[str] = []
        if self._in_secret and not self._end_secret(out, final=final):
            return ""
        text = self._text
        settled = len(text) if final else self._settled()
        search = Search(finders_for(text))
        while (span := search.next(text, self._done)) and span[0] < settled:
            start, end, kind = span
            out.append(text[self._done : start])
            self.counts[kind] = self.counts.get(kind, 0) + 1
            self._done = end
            if kind == "secret":
                self._secret, self._in_secret = keyed_digest(self.key, text[start:end]), True
                if not self._end_secret(out, final=final):
                    return "".join(out)
            else:
                out.append(replacement(text[start:end], kind, self.mode, self.key))
        if self._done < settled:
            out.append(text[self._done : settled])
            self._done = settled
        self._forget()
        return "".join(out)

    def _end_secret(self, out: list[str], *, final: bool) -> bool:
        """Swallow the rest of a secret; whether it has ended."""
        end = tail_end(self._text, self._done)
        self._secret.update(self._text[self._done : end].encode("utf-8", "surrogatepass"))
        self._done = end
        if end == len(self._text) and not final:
            self._forget()
            return False
        shown = shown_digest(self._secret) if self.mode == "hash" else replacement("", "secret", self.mode, self.key)
        out.append(shown)
        self._in_secret = False
        return True

    def _settled(self) -> int:
        """Up to where nothing that may still come can change what is found."""
        text = self._text
        floor = max(self._done, len(text) - LOOK_AHEAD)
        word = _LAST_WORD.search(text, floor)
        hold = word.start() if word else len(text)
        closings = [match.end() for match in _CLOSING_WORD.finditer(text, max(0, floor - 1))]
        closed = max([place for place in closings if place <= hold], default=floor)
        if digit := _DIGIT.search(text, closed, hold):
            start = digit.start()
            while start > floor and not text[start - 1].isspace():
                start -= 1
            hold = start
        for name in _NAME.finditer(text, max(0, floor - LOOK_BACK)):
            if sum(map(str.isspace, text[name.end() :])) < _SPACES_BEHIND_NAME:
                hold = min(hold, name.end())
                break
        return max(floor, hold)

    def _forget(self) -> None:
        """Drop what has left, except what a match behind it may look back at."""
        if self._done > LOOK_BACK:
            self._text = self._text[self._done - LOOK_BACK :]
            self._done = LOOK_BACK
