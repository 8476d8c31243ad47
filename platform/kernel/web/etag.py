"""Strong ETags for polled resources, and a lenient If-None-Match (docs: quoted, unquoted, weak, lists and * pass)."""

import hashlib

from django.http import HttpRequest


def strong_etag(*parts: object) -> str:
    """A quoted, strong entity tag of whatever identifies this version of the resource."""
    text = "\x1f".join(str(part) for part in parts)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def not_modified(request: HttpRequest, etag: str) -> bool:
    """Whether the client already holds this version."""
    header = request.headers.get("If-None-Match", "").strip()
    if not header:
        return False
    bare = etag.strip('"')
    candidates = [candidate.strip().removeprefix("W/").strip('"') for candidate in header.split(",")]
    return "*" in candidates or bare in candidates
