"""A short text that a regular expression matches, made by walking the expression once: for strings that must have a
pattern and have no source in what was said. Look-arounds and back-references are stepped over; the caller checks.
"""

MAX_PATTERN = 500
MAX_TEXT = 2_000
MAX_REPEAT = 256
MAX_NESTING = 20
_CLASSES = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "h": " ", "v": "\n"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_WANTED = "a0A_- .x1"
_MORE = [chr(code) for code in range(33, 127)] + ["à", "α", "中", " "]


class _NotUnderstood(Exception):
    """The expression is of a kind that is not walked."""


def matching_text(pattern: str, *, least: int = 0) -> str | None:
    """A text that should match, so long where repetitions allow it; None when the pattern is not understood."""
    if len(pattern) > MAX_PATTERN:
        return None
    try:
        text = _Walk(pattern, 0).alternatives(0)
        if len(text) < least:
            text = _Walk(pattern, least - len(text)).alternatives(0)
    except (_NotUnderstood, IndexError, ValueError):
        return None
    return text[:MAX_TEXT]


class _Walk:
    """One pass over a pattern. ``spare``: how many characters open repetitions may add."""

    def __init__(self, pattern: str, spare: int) -> None:
        self.pattern = pattern
        self.at = 0
        self.spare = spare

    def alternatives(self, depth: int) -> str:
        """The first alternative's text; the others are walked over."""
        if depth > MAX_NESTING:
            raise _NotUnderstood
        first = self._sequence(depth)
        while self._peek() == "|":
            self.at += 1
            spare, self.spare = self.spare, 0
            self._sequence(depth)
            self.spare = spare
        return first

    def _peek(self) -> str:
        return self.pattern[self.at : self.at + 1]

    def _sequence(self, depth: int) -> str:
        parts: list[str] = []
        length = 0
        while self._peek() not in ("", "|", ")"):
            one = self._atom(depth)
            part = self._repeated(one)
            length += len(part)
            if length > MAX_TEXT:
                raise _NotUnderstood
            parts.append(part)
        return "".join(parts)

    def _atom(self, depth: int) -> str:
        letter = self._peek()
        self.at += 1
        if letter in "^$":
            return ""
        if letter == ".":
            return "a"
        if letter == "[":
            return self._set()
        if letter == "(":
            return self._group(depth)
        if letter == "\\":
            return self._escaped()
        if letter in "*+?":
            raise _NotUnderstood
        return letter

    def _group(self, depth: int) -> str:
        is_looking = False
        if self._peek() == "?":
            for opening in ("?:", "?=", "?!", "?<=", "?<!"):
                if self.pattern.startswith(opening, self.at):
                    is_looking = opening != "?:"
                    self.at += len(opening)
                    break
            else:
                end = self.pattern.index(">", self.at)
                self.at = end + 1
        text = self.alternatives(depth + 1)
        if self._peek() != ")":
            raise _NotUnderstood
        self.at += 1
        return "" if is_looking else text

    def _escaped(self) -> str:
        letter = self._peek()
        if not letter:
            raise _NotUnderstood
        self.at += 1
        if letter in "bBAZz":
            return ""
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in "pP":
            end = self.pattern.index("}", self.at)
            name = self.pattern[self.at : end].lstrip("{")
            self.at = end + 1
            return "0" if name.startswith("N") else "A" if name.startswith(("Lu", "Upper")) else "a"
        if letter in "xu":
            width = 2 if letter == "x" else 4
            code = self.pattern[self.at : self.at + width]
            self.at += width
            return chr(int(code, 16))
        if letter.isdigit() and letter != "0":
            raise _NotUnderstood
        return _ESCAPES.get(letter, letter)

    def _set(self) -> str:
        is_negated = self._peek() == "^"
        self.at += is_negated
        allowed: list[tuple[str, str]] = []
        is_first = True
        while is_first or self._peek() != "]":
            is_first = False
            low, is_single = self._member()
            if is_single and self._peek() == "-" and self.pattern[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                high, _ = self._member()
                allowed.append((low[0], high[0]))
            else:
                allowed += [(each, each) for each in low]
        self.at += 1
        for letter in [*_WANTED, *(low for low, _ in allowed), *_MORE]:
            if any(low <= letter <= high for low, high in allowed) != is_negated:
                return letter
        raise _NotUnderstood

    def _member(self) -> tuple[str, bool]:
        """The characters that this member of a set stands for (of a class, some), and whether it is one character."""
        letter = self._peek()
        if not letter:
            raise _NotUnderstood
        self.at += 1
        if letter != "\\":
            return letter, True
        kind = self._peek()
        classes = {
            "d": "0123456789",
            "w": "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_",
            "s": " \t\n\r\f\v",
        }
        if kind in classes:
            self.at += 1
            return classes[kind], False
        if kind == "b":
            self.at += 1
            return "\b", True
        return self._escaped() or kind, True

    def _repeated(self, one: str) -> str:
        least, most = 1, 1
        letter = self._peek()
        if letter == "*":
            least, most = 0, MAX_REPEAT
        elif letter == "+":
            least, most = 1, MAX_REPEAT
        elif letter == "?":
            least, most = 0, 1
        elif letter == "{":
            end = self.pattern.find("}", self.at)
            low, comma, high = self.pattern[self.at + 1 : end].partition(",")
            if end < 0 or not low.isdigit() or (high and not high.isdigit()):
                return one  # a brace that is no repetition
            least = int(low)
            most = int(high) if high else (MAX_REPEAT if comma else least)
            self.at = end
        else:
            return one
        self.at += 1
        if self._peek() in ("?", "+") and self._peek():
            self.at += 1
        if least > MAX_TEXT:
            raise _NotUnderstood
        times = least
        if self.spare > 0 and one:
            times = min(most, max(MAX_REPEAT, least), least + -(-self.spare // len(one)))
            self.spare -= (times - least) * len(one)
        return one * times
