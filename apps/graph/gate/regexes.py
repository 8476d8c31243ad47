"""Regular expressions whose matching takes a time that grows gently with the text."""

import re

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?|\(|\)|[*+?]|\{[0-9,]*\}|\||.", re.DOTALL)
_BOUNDS = re.compile(r"\{([0-9]{1,6})(,([0-9]{0,6}))?\}")
_PLAIN_GROUP = re.compile(r"(?:i|s|m|is|si|im|mi)?(?::|\))")
MOST_UNBOUNDED = 3
MOST_TIMES = 100
MOST_WAYS = 1_000


def fault(pattern: str, longest: int) -> str | None:
    """Why this pattern is refused, or None. ``longest`` in characters.

    Refused are repeated groups that hold a repetition or a choice (``(a+)+``), more than three open repetitions, more
    than MOST_WAYS ways through choices and bounded repetitions (``a?a?a?...aaa``), back references and looking around:
    with any of them a text of some hundred characters can keep a server busy for years.
    """
    if len(pattern) > longest:
        return f"it is longer than {longest} characters"
    groups: list[bool] = []  # for each open group: whether it holds a repetition or a choice
    closed: bool | None = None  # the same of the group that ended just before
    unbounded = 0
    ways = [(0, 1)]  # for all and each open group: ways through the choices before this one, and through this one
    for found in _PIECE.finditer(pattern):
        piece = found[0]
        quantifier = piece in "*+?" or (piece[0] == "{" and _BOUNDS.fullmatch(piece) is not None)
        if quantifier and found.start() > 0 and pattern[found.start() - 1] != "(":
            if closed:
                return "it repeats a group that holds a repetition or a choice itself"
            if groups:
                groups[-1] = True
            if _is_unbounded(piece):
                unbounded += 1
            elif _times(piece) > MOST_TIMES:
                return f"it repeats more than {MOST_TIMES} times"
            else:
                ways[-1] = (ways[-1][0], ways[-1][1] * _counts(piece))
        if piece[0] == "\\" and (piece[1:].isdigit() or piece[1:] in ("k", "Q", "G")):
            return "it refers back to what it found"
        if piece == "(?":
            if not _PLAIN_GROUP.match(pattern, found.end()):
                return "it looks around or names a group"
            groups.append(False)
            ways.append((0, 1))
        elif piece == "(":
            groups.append(False)
            ways.append((0, 1))
        elif piece == "|":
            ways[-1] = (sum(ways[-1]), 1)
            if groups:
                groups[-1] = True
        closed = None
        if piece == ")":
            if not groups:
                return "its brackets do not match"
            closed = groups.pop()
            if closed and groups:
                groups[-1] = True
            inside = sum(ways.pop())
            ways[-1] = (ways[-1][0], ways[-1][1] * inside)
        if sum(ways[-1]) > MOST_WAYS:
            return "there are too many ways to match it"
    if groups:
        return "its brackets do not match"
    return f"it has more than {MOST_UNBOUNDED} open repetitions" if unbounded > MOST_UNBOUNDED else None


def _is_unbounded(quantifier: str) -> bool:
    return quantifier in ("*", "+") or quantifier.endswith(",}")


def _counts(quantifier: str) -> int:
    """How many different numbers of times a bounded repetition allows."""
    found = _BOUNDS.fullmatch(quantifier)
    if found is None:
        return 2  # ?
    return 1 if found[3] is None else max(1, int(found[3]) - int(found[1]) + 1)


def _times(quantifier: str) -> int:
    found = _BOUNDS.fullmatch(quantifier)
    return int(found[3] or found[1]) if found else 1
