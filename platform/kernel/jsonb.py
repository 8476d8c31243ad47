"""Values as PostgreSQL's jsonb takes them."""

import re
from typing import Any

import psycopg
from pydantic_core import PydanticSerializationError, to_json

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # not the six characters of a text that speaks of NUL


def json_text(value: Any) -> str | None:
    """JSON text that jsonb accepts (it refuses NUL), or None. psycopg.DataError for what has no JSON."""
    if value is None:
        return None
    try:
        text = to_json(value, inf_nan_mode="null").decode()
    except PydanticSerializationError as error:
        raise psycopg.DataError(f"not JSON: {error}") from error
    return _NUL.sub(r"\1\\ufffd", text)
