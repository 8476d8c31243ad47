"""Regular expressions whose matching takes a time that grows gently with the text."""

import math
import re

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?|\(|\)|[*+?]|\{[0-9,]*\}|\||.", re.DOTALL)
_BOUNDS = re.compile(r"\{([0-9]{1,6})(,([0-9]{0,6}))?\}")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN_GROUP = re.compile(r"(?:i|s|m|is|si|im|mi)?(?::|\))")
_ESCAPES = frozenset("dDwWsSbBnrtfpPxu")
"""Letters that may stand behind a backslash: those that mean the same inside [ ] and outside, whoever reads them."""
MOST_UNBOUNDED = 3
MOST_TIMES = 100
MOST_WAYS = 1_000


def fault(pattern: str, longest: int) -> str | None:
    """Why this pattern is refused, or None. ``longest`` in characters.

    Refused are repeated groups that hold a repetition or a choice (``(a+)+``), more than three open repetitions, more
    than MOST_WAYS ways through choices and bounded repetitions (``a?a?a?...aaa``), back references and looking around:
    with any of them a text of some hundred characters can keep a server busy for years. So are escapes and brackets
    inside [ ] that servers read in another way than this module.
    """
    try:
        _counted(pattern, longest)
    except _Fault as found:
        return str(found)
    return None


def trials(pattern: str, length: float) -> float:
    """How often a server may try to match a text of ``length`` characters, roughly, by a pattern without a fault.

    Each open repetition may take every length: ``a*a*a*b`` on 300 letters is 4.5 million trials.
    """
    ways, unbounded = _counted(pattern, len(pattern))
    return ways * max(length, 1.0) ** max(unbounded, 1) / math.factorial(unbounded)


class _Fault(Exception):
    """What is wrong with a pattern, in words."""


def _counted(pattern: str, longest: int) -> tuple[int, int]:
    """Ways through choices and bounded repetitions; open repetitions. _Fault when there are too many, or worse."""
    if len(pattern) > longest:
        raise _Fault(f"it is longer than {longest} characters")
    groups: list[bool] = []  # for each open group: whether it holds a repetition or a choice
    closed: bool | None = None  # the same of the group that ended just before
    unbounded = 0
    ways = [(0, 1)]  # for all and each open group: ways through the choices before this one, and through this one
    for found in _PIECE.finditer(pattern):
        piece = found[0]
        if (piece in "*+?" or (piece[0] == "{" and _BOUNDS.fullmatch(piece) is not None)) and found.start() > 0:
            if closed:
                raise _Fault("it repeats a group that holds a repetition or a choice itself")
            if groups:
                groups[-1] = True
            if _is_unbounded(piece):
                unbounded += 1
            elif _times(piece) > MOST_TIMES:
                raise _Fault(f"it repeats more than {MOST_TIMES} times")
            else:
                ways[-1] = (ways[-1][0], ways[-1][1] * _counts(piece))
        if piece[0] in "\\[":
            _check_escapes(piece)
        if piece in ("(", "(?"):
            if piece == "(?" and not _PLAIN_GROUP.match(pattern, found.end()):
                raise _Fault("it looks around or names a group")
            groups.append(False)
            ways.append((0, 1))
        elif piece == "|":
            ways[-1] = (sum(ways[-1]), 1)
            if groups:
                groups[-1] = True
        closed = None
        if piece == ")":
            if not groups:
                raise _Fault("its brackets do not match")
            closed = groups.pop()
            if closed and groups:
                groups[-1] = True
            inside = sum(ways.pop())
            ways[-1] = (ways[-1][0], ways[-1][1] * inside)
        if sum(ways[-1]) > MOST_WAYS:
            raise _Fault("there are too many ways to match it")
    if groups:
        raise _Fault("its brackets do not match")
    if unbounded > MOST_UNBOUNDED:
        raise _Fault(f"it has more than {MOST_UNBOUNDED} open repetitions")
    return sum(ways[0]), unbounded


def _check_escapes(piece: str) -> None:
    """_Fault for an escape, or a set of characters, whose end servers and this module may see in different places."""
    if any(letter.isalnum() and letter not in _ESCAPES for letter in _ESCAPE.findall(piece)):
        raise _Fault("it refers back to what it found, or holds an escape other than \\d \\w \\s and the like")
    plain = _ESCAPE.sub("", piece)
    if "[" in plain[1:] or "&&" in plain:
        raise _Fault("it holds a [ or && between [ and ]")


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
