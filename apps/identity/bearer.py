"""The Authorization header -> the token in it, read the same way for HTTP, SSE and websocket."""

import re

from apps.identity.tokens import TokenRefusedError

_BEARER = re.compile(r"bearer ([A-Za-z0-9._~+/=-]+)", re.IGNORECASE | re.ASCII)


def bearer_token(header: str | None) -> str:
    """The token. TokenRefusedError for none, for several (servers join them by a comma) and for another scheme."""
    match = _BEARER.fullmatch(header or "")
    if match is None:
        raise TokenRefusedError("no bearer token in the Authorization header" if header else "no Authorization header")
    return match[1]
