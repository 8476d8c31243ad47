"""Names for requests: the caller's if it is plain enough for logs and headers, else one of ours."""

import re
import secrets

_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


def new_id() -> str:
    """32 hexadecimal digits, which also serve as a W3C trace id."""
    return secrets.token_hex(16)


def request_id_of(value: str | None, fallback: str | None = None) -> str:
    """``value`` if it is sane, else ``fallback``, else a new id."""
    return value if value and _SANE.fullmatch(value) else (fallback or new_id())
