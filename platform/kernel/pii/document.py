"""JSON documents: their strings are scrubbed, their keys and numbers stay, and what stands under a telling name goes.

Most answers hold nothing personal. They are parsed, looked through and handed back as the same bytes; only a document
in which something was found is written anew.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from pydantic_core import from_json, to_json

from kernel.pii.text import REDACTED, SHORTEST, Counts, Mode, keyed_digest, scrub_text, shown_digest

# Names whose values are secret or personal whatever they look like; also as the last words of a longer name.
SENSITIVE_NAMES = frozenset({
    "password", "passwd", "pwd", "passphrase", "secret", "client_secret", "secret_key", "private_key", "api_key",
    "apikey", "access_key", "encryption_key", "signing_key", "access_token", "refresh_token", "id_token", "auth_token",
    "api_token", "session_token", "bearer_token", "csrf_token", "authorization", "proxy_authorization", "cookie",
    "set_cookie", "credentials", "ssn", "social_security_number", "iban", "credit_card", "card_number", "cvv", "cvc",
    "bank_account", "passport_number", "tax_id", "fiscal_code", "codice_fiscale",
})  # fmt: skip
ALONE = frozenset({"token", "pin", "jwt"})  # ... and these only as the whole name: page_token is none
_ENDINGS = tuple(f"_{name}" for name in SENSITIVE_NAMES)
_NAME_MAX = 64
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_HARMLESS = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=\d*[a-f])[0-9a-f]{16,128}"
).fullmatch
Allowed = dict[str, Any]


@lru_cache(maxsize=256)
def allowed(paths: frozenset[str]) -> Allowed:
    """Fields that are shown as they are, from paths such as ``username`` or ``items.owner``; lists add no step."""
    tree: Allowed = {}
    for path in paths:
        node = tree
        *parents, last = path.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = True
    return tree


@lru_cache(maxsize=4096)
def _is_telling(name: str) -> bool:
    plain = _CAMEL.sub("_", name).lower().replace("-", "_").replace(" ", "_")
    return plain in SENSITIVE_NAMES or plain in ALONE or plain.endswith(_ENDINGS)


def is_sensitive_name(name: str) -> bool:
    """Whether values under this name are masked whatever they look like."""
    return len(name) <= _NAME_MAX and _is_telling(name)


def scrub_json(value: Any, mode: Mode, key: bytes, allow: Iterable[str] = ()) -> tuple[Any, Counts]:
    """The value without personal data (itself when there was none), and what was replaced. ``allow``: see allowed()."""
    if mode == "off":
        return value, {}
    walk = _Walk(mode, key)
    return walk.any(value, allowed(frozenset(allow)) or None), walk.counts


def scrub_json_bytes(body: bytes, mode: Mode, key: bytes, allow: frozenset[str] = frozenset()) -> tuple[bytes, Counts]:
    """As scrub_json, for a document as it travels. Bytes that are no JSON are scrubbed as text."""
    if mode == "off":
        return body, {}
    try:
        value = from_json(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        scrubbed, counts = scrub_text(text, mode, key)
        return (body, counts) if scrubbed is text else (scrubbed.encode(), counts)
    walk = _Walk(mode, key)
    clean = walk.any(value, allowed(allow) or None)
    return (body if clean is value else to_json(clean)), walk.counts


class _Walk:
    """One pass through a document."""

    def __init__(self, mode: Mode, key: bytes) -> None:
        self.mode, self.key = mode, key
        self.counts: Counts = {}

    def any(self, value: Any, allow: Allowed | None) -> Any:
        """The value itself when nothing in it had to change."""
        if type(value) is str:
            return self.text(value)
        if type(value) is dict:
            return self.object(value, allow)
        if type(value) is list:
            parts = [self.any(part, allow) for part in value]
            return parts if any(new is not old for new, old in zip(parts, value, strict=True)) else value
        return value

    def object(self, value: dict[str, Any], allow: Allowed | None, *, declares: bool = False) -> dict[str, Any]:
        """``declares``: the names are those of a schema's properties, and say nothing of their values."""
        changed: dict[str, Any] = {}
        for name, old in value.items():
            kind = type(old)
            inner = allow.get(name) if allow else None
            if inner is True or kind is int or kind is float or kind is bool or old is None:
                if kind is int and inner is not True and is_sensitive_name(name):
                    changed[name] = self.field(old)
                continue
            if is_sensitive_name(name) and not (declares and kind is dict):
                new = self.field(old)
            elif kind is str:
                if len(old) < SHORTEST:
                    continue
                new = self.text(old)
            elif kind is dict:
                new = self.object(old, inner, declares=name == "properties")
            else:
                new = self.any(old, inner)
            if new is not old:
                changed[name] = new
        return {**value, **changed} if changed else value

    def text(self, text: str) -> str:
        if text.isalpha() or (10 <= len(text) < 130 and _HARMLESS(text)):
            return text
        clean, counts = scrub_text(text, self.mode, self.key)
        for kind, count in counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        return clean

    def field(self, value: Any) -> Any:
        """Whatever stands under a telling name."""
        if value in ("", [], {}):
            return value
        self.counts["field"] = self.counts.get("field", 0) + 1
        if self.mode == "remove":
            return ""
        if self.mode == "hash":
            return shown_digest(keyed_digest(self.key, value if isinstance(value, str) else to_json(value).decode()))
        return REDACTED
