"""Bodies are read strictly: what two programs could read in two ways is refused (RFC 8259, 4; security 13)."""

import codecs
import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from kernel.errors import BadRequestError


class StrictJson(BaseParser):
    """JSON in UTF-8 with each key once, without NaN and Infinity. BadRequestError: invalid_json, duplicate_key."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            text = codecs.decode(stream.read(), "utf-8")
            return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadRequestError("The body is not valid JSON.", code="invalid_json") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequestError("A key stands twice in one object of the body.", code="duplicate_key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
