"""From text to tokens, without looking at their order. White space and comments end here; nothing is decoded outside
strings, so no other spelling of a word exists (security 66, 68)."""

import re
import unicodedata
from typing import Any

from apps.graph.cypher.errors import CypherSyntaxError

MAX_CHARACTERS = 65_536
MAX_TOKENS = 2_000
MAX_NAME = 200  # characters
MAX_INTEGER = 2**63

KEYWORDS: dict[str, str] = {
    **{
        word: "_" + word
        for word in (
            "MATCH", "OPTIONAL", "WHERE", "WITH", "UNWIND", "AS", "RETURN", "ORDER", "BY", "SKIP", "LIMIT", "CALL",
            "UNION", "ALL", "CASE", "WHEN", "THEN", "ELSE", "END",
        )
    },
    **{word: word for word in ("EXPLAIN", "PROFILE", "DISTINCT", "IN", "NOT", "IS")},
    **dict.fromkeys(("ASC", "ASCENDING"), "ASCENDING"),
    **dict.fromkeys(("DESC", "DESCENDING"), "DESCENDING"),
    **dict.fromkeys(("AND", "OR", "XOR", "CONTAINS"), "WORD_OPERATOR"),
    **dict.fromkeys(("STARTS", "ENDS"), "AFFIX"),
    **dict.fromkeys(("TRUE", "FALSE", "NULL"), "LITERAL"),
}  # fmt: skip
"""Word in capitals -> terminal. Where the grammar cannot take the keyword, the word is a name (parser.py)."""
CHANGE_KEYWORDS = KEYWORDS | {
    word: "_" + word for word in ("CREATE", "MERGE", "SET", "REMOVE", "DELETE", "DETACH", "ON")
}
_SYMBOLS: dict[str, str] = {
    **{"(": "_LPAR", ")": "_RPAR", "[": "_LBRACKET", "]": "_RBRACKET", "{": "_LBRACE", "}": "_RBRACE"},
    **{":": "_COLON", ",": "_COMMA", ".": "_DOT", "..": "_DOTS", "|": "_BAR", ";": "_SEMICOLON", "=": "EQ"},
    **{"+": "ADD", "-": "ADD", "*": "STAR", "+=": "ADD_ASSIGN"},
    **dict.fromkeys(("/", "%", "^", "=~", "<>", "<", "<=", ">", ">="), "OPERATOR"),
}
_TOKEN = re.compile(
    r"""(?s:
      [ \t\r\n]+
    | ([^\W\d]\w*)
    | (//[^\r\n]* | /\*.*?\*/)
    | (\.\. | <= | >= | <> | =~ | \+= | \.(?![0-9]) | (?!/\*)[][(){}:,|;=+\-*/%^<>])
    | ('[^'\\]*(?:\\.[^'\\]*)*' | "[^"\\]*(?:\\.[^"\\]*)*")
    | ((?: 0[xX][0-9a-fA-F]+ | 0[oO][0-7]+ | (?:[0-9]+\.[0-9]+ | \.[0-9]+ | [0-9]+)(?:[eE][+-]?[0-9]+)? )(?!\w))
    | \$([A-Za-z_][A-Za-z0-9_]*)(?!\w)
    | `((?:[^`]|``)*)`
    | (.)
    )""",
    re.VERBOSE,
)
_WORD, _COMMENT, _SYMBOL, _STRING, _NUMBER, _PARAM, _QUOTED, _OTHER = range(1, 9)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_INVISIBLE_LETTERS = re.compile("[\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5]")


class Token:
    """``type``: the terminal; ``at``: where in the text, in characters. lark reads the other attributes."""

    __slots__ = ("at", "type", "value")
    line = column = end_line = end_column = end_pos = 0

    def __init__(self, type_: str, value: Any, at: int) -> None:
        self.type = type_
        self.value = value
        self.at = at

    @property
    def start_pos(self) -> int:
        return self.at

    def __repr__(self) -> str:
        return f"Token({self.type}, {self.value!r}, {self.at})"


def tokens(text: str, keywords: dict[str, str]) -> list[Token]:
    """The tokens of ``text``; CypherSyntaxError where a character belongs to none."""
    if len(text) > MAX_CHARACTERS:
        raise CypherSyntaxError(f"The text is longer than {MAX_CHARACTERS} characters: make it shorter.")
    control = _CONTROL.search(text)
    if control is not None:
        raise CypherSyntaxError(
            "A control character stands here: write it as \\uXXXX in a string.", text, control.start()
        )
    found: list[Token] = []
    add = found.append
    keyword, symbols = keywords.get, _SYMBOLS
    for match in _TOKEN.finditer(text):
        kind = match.lastindex
        if kind is None:
            continue
        value = match[kind]
        if kind == _WORD:
            type_ = keyword(value) or keyword(value.upper(), "NAME")
            if not value.isascii() or len(value) > MAX_NAME:
                type_ = "NAME"
                _check_name(value, text, match.start())
            add(Token(type_, value, match.start()))
        elif kind == _SYMBOL:
            add(Token(symbols[value], value, match.start()))
        elif kind == _STRING:
            inner = value[1:-1]
            add(Token("TEXT", _decoded(inner, text, match.start()) if "\\" in inner else inner, match.start()))
        elif kind == _NUMBER:
            number = _number(value, text, match.start())
            # 2**63 is one too many, except behind a minus sign (build.py looks at what the sign is).
            if (
                number >= MAX_INTEGER
                and type(number) is int
                and (number > MAX_INTEGER or not found or found[-1].value != "-")
            ):
                raise CypherSyntaxError("The number does not fit into 64 bits.", text, match.start())
            add(Token("NUMBER", number, match.start()))
        elif kind == _PARAM:
            _check_name(value, text, match.start())
            add(Token("PARAM", value, match.start()))
        elif kind == _QUOTED:
            name = value.replace("``", "`")
            _check_name(name, text, match.start())
            add(Token("NAME", name, match.start()))
        elif kind == _COMMENT:
            _check_comment(value, text, match.start())
        else:
            _refuse(value, text, match.start())
    if len(found) > MAX_TOKENS:
        raise CypherSyntaxError(f"The query has more than {MAX_TOKENS} words and signs: make it shorter.")
    return found


def readable_name(name: str) -> bool:
    """Whether a name looks like what it is: no control, invisible or look-alike characters, no escapes."""
    if name.isascii():
        return name != "" and name.isprintable() and "\\" not in name
    return (
        name.isprintable()
        and "\\" not in name
        and unicodedata.normalize("NFKC", name) == name
        and _INVISIBLE_LETTERS.search(name) is None
    )


def _check_name(name: str, text: str, at: int) -> None:
    if len(name) > MAX_NAME:  # before its characters are looked at, which may take the square of their number
        raise CypherSyntaxError(f"A name has at most {MAX_NAME} characters.", text, at)
    if not readable_name(name):
        raise CypherSyntaxError(
            "This name is empty, or holds an escape, an invisible or a look-alike character: names are plain text.",
            text,
            at,
        )


def _check_comment(comment: str, text: str, at: int) -> None:
    if "\\u" in comment.lower():
        raise CypherSyntaxError("Escapes such as \\u0041 are allowed in strings only, not in comments.", text, at)
    if not comment.isascii() and not comment.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
        raise CypherSyntaxError("The comment holds an invisible character: remove it.", text, at)


def _decoded(inner: str, text: str, at: int) -> str:
    def one(match: re.Match[str]) -> str:
        code, letter = match.groups()
        if code is not None:
            if code == "0000":
                raise CypherSyntaxError("The character \\u0000 is not allowed.", text, at)
            return chr(int(code, 16))
        if letter not in _ESCAPES:
            raise CypherSyntaxError(
                f"\\{letter} is no escape: allowed are \\\\ \\' \\\" \\n \\t \\r \\b \\f and \\uXXXX.", text, at
            )
        return _ESCAPES[letter]

    decoded = _ESCAPE.sub(one, inner)
    try:  # Two escapes may make one character (U+10000 and above); half of one is no text.
        return decoded.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise CypherSyntaxError("The string holds half a character (\\uD800 to \\uDFFF).", text, at) from error


def _number(value: str, text: str, at: int) -> int | float:
    number: int | float
    if value[:2] in ("0x", "0X", "0o", "0O"):
        number = int(value, 0)
    elif value.isdigit():
        if value[0] == "0" and len(value) > 1:
            raise CypherSyntaxError("A number does not begin with 0: write 0o17 for octal numbers.", text, at)
        if len(value) > 20:
            raise CypherSyntaxError("The number does not fit into 64 bits.", text, at)
        number = int(value)
    else:
        number = float(value)
        if number == float("inf"):
            raise CypherSyntaxError("The number is larger than decimal numbers can be.", text, at)
    return number


def _refuse(character: str, text: str, at: int) -> None:
    if character in "'\"":
        problem = "The string that begins here does not end: close it with the same quote."
    elif text.startswith("/*", at):
        problem = "The comment that begins here does not end: close it with */."
    elif character == "`":
        problem = "The name that begins here does not end: close it with a backtick."
    elif character == "\\":
        problem = "Escapes such as \\u0041 are allowed in strings only."
    elif text.startswith("!=", at):
        problem = "!= is no operator of Cypher: use <>."
    elif text.startswith("&&", at):
        problem = "Write AND in place of &&."
    elif character in "!&":
        problem = f"{character} in labels is not available: use :A:B for all, :A|B for one of the labels, or NOT n:A."
    elif character == "$":
        problem = "A parameter is $ and a name of letters, digits and _: $name."
    elif character.isdigit():
        problem = "This is neither a number nor a name: names begin with a letter, numbers end before one."
    elif not character.isprintable():
        problem = f"U+{ord(character):04X}, an invisible character or unusual space, stands here: remove it."
    else:
        problem = f"{character} (U+{ord(character):04X}) has no meaning here."
    raise CypherSyntaxError(problem, text, at, found=character)
