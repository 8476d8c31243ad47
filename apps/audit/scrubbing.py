"""What may go into an audit row: no secret, nothing PostgreSQL cannot store, 8 kB of details at most."""

import json
import math
import re
from itertools import pairwise
from typing import Any

DETAILS_MAX_BYTES = 8192
TEXT_MAX = 2000
ITEMS_MAX = 100
DEPTH_MAX = 6
HIDDEN = "***"

# Whole words of a key: `tokens_per_day` is a quota, `refresh_token` is a secret.
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "secrets", "token", "authorization", "cookie", "credential",
     "credentials", "jwt", "bearer", "assertion", "verifier", "apikey"}
)  # fmt: skip
_SECRET_PAIRS = frozenset(
    {("api", "key"), ("private", "key"), ("access", "key"), ("session", "key"), ("set", "cookie")}
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_SECRET_TEXT = re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.?[\w-]*|\b(?:bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def scrubbed_text(text: str, limit: int = TEXT_MAX) -> str:
    """The text without tokens, cut to ``limit`` characters."""
    if len(text) > 12:
        text = _SECRET_TEXT.sub(HIDDEN, text)
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def scrubbed(details: dict[str, Any]) -> dict[str, Any]:
    """A copy that JSON and PostgreSQL can hold, values of secret-looking keys hidden. Ids and times become text."""
    return {scrubbed_text(str(key), 200): _value(str(key), value, 1) for key, value in details.items()}


def as_json(details: dict[str, Any]) -> str:
    """Scrubbed details as they are stored; details above the limit are replaced by their beginning."""
    text = json.dumps(details, ensure_ascii=False)
    if len(text) * 4 <= DETAILS_MAX_BYTES or len(text.encode()) <= DETAILS_MAX_BYTES:
        return text
    return json.dumps({"truncated": True, "size_bytes": len(text.encode()), "beginning": text[:TEXT_MAX]})


def is_secret(key: str) -> bool:
    """Whether a key of this name holds something nobody may read later."""
    words = [word.lower() for word in _WORDS.findall(key)]
    return not _SECRET_WORDS.isdisjoint(words) or any(pair in _SECRET_PAIRS for pair in pairwise(words))


def _value(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if is_secret(key):
        return HIDDEN
    if isinstance(value, str):
        return scrubbed_text(value)
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)[:TEXT_MAX]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict) and depth < DEPTH_MAX:
        pairs = list(value.items())[:ITEMS_MAX]
        return {scrubbed_text(str(name), 200): _value(str(name), part, depth + 1) for name, part in pairs}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
        return [_value("", part, depth + 1) for part in list(value)[:ITEMS_MAX]]
    return scrubbed_text(str(value))
