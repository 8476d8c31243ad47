"""Lists in pages. The cursor says how many were seen; lists are short, in order of name, and the same for a while."""

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from django.conf import settings

from kernel.errors import BadRequestError

T = TypeVar("T")
DIGITS_MAX = 6


def page(everything: Sequence[T], cursor: str | None) -> tuple[Sequence[T], str | None]:
    """The page that begins there, and the next one's cursor. BadRequestError for a cursor that we did not make."""
    begin = 0 if cursor is None else _read(cursor)
    if begin > len(everything):
        raise _unknown()
    end = begin + settings.MCP_PAGE_SIZE
    return everything[begin:end], _write(end) if end < len(everything) else None


def _write(seen: int) -> str:
    return base64.urlsafe_b64encode(b"after:%d" % seen).decode()


def _read(cursor: str) -> int:
    try:
        kind, _, digits = base64.b64decode(cursor.encode(), b"-_", validate=True).partition(b":")
    except (binascii.Error, UnicodeEncodeError) as error:
        raise _unknown() from error
    if kind != b"after" or not digits.isdigit() or len(digits) > DIGITS_MAX:
        raise _unknown()
    return int(digits)


def _unknown() -> BadRequestError:
    return BadRequestError("The cursor is none of this list's. Begin without one.", code="invalid_cursor")
