"""The kinds of text a request body may have. Each string of a body is one of them, a choice, or has a pattern.

What names something (Identifier, Label) is refused when it looks like a piece of a program; what is meant for people or
models (FreeText) is taken as it is, whatever it talks about.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, StringConstraints
from pydantic_core import PydanticCustomError, to_json

from kernel import injection

SMALL_JSON_BYTES = 65_536
_IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9_.:/@+-]*$"


class RequestBody(BaseModel):
    """What every body of a request is made from: fields that nobody asked for are refused."""

    model_config = ConfigDict(extra="forbid")


def judged(text: str) -> str:
    """The text, unless it looks like an attack. The error names the kind and never repeats the text."""
    if kind := injection.find(text):
        raise PydanticCustomError("suspicious_input", "This looks like {kind}; a name has none", {"kind": kind})
    return text


def storable(text: str) -> str:
    """The text, unless PostgreSQL could not keep it."""
    if "\0" in text:
        raise PydanticCustomError("unstorable", "Text must not contain the NUL character")
    if any("\ud800" <= char <= "\udfff" for char in text if not char.isascii()):
        raise PydanticCustomError("unstorable", "Text must not contain half of a surrogate pair")
    return text


def small(value: Any) -> Any:
    """A JSON value of at most SMALL_JSON_BYTES: what lists show many of must not be large."""
    if len(to_json(value)) > SMALL_JSON_BYTES:
        raise PydanticCustomError("too_large", "JSON of at most {max} bytes is taken here", {"max": SMALL_JSON_BYTES})
    return value


class Kind:
    """Marks a type of text as looked at; tests/architecture/test_request_bodies.py reads it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Kind) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


Identifier = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=_IDENTIFIER),
    AfterValidator(judged),
    Kind("identifier"),
]
# Pydantic lets a Field(max_length=...) beside these constraints go without a word: a shorter name is a kind of its own.
Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=_IDENTIFIER),
    AfterValidator(judged),
    Kind("identifier"),
]
Label = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(judged), Kind("label")]
FreeText = Annotated[str, AfterValidator(storable), Kind("free text")]
SmallJson = Annotated[JsonValue, AfterValidator(small)]
SmallObject = Annotated[dict[str, JsonValue], AfterValidator(small)]
# Looked up, never stored or shown: whatever it holds, it is known or it is not.
Lookup = Annotated[str, Kind("lookup")]
