"""The wire shapes of /v1/files, and what its requests say."""

import base64
import binascii
import re
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel, Field

from apps.files.models import File
from kernel.clock import iso
from kernel.errors import BadRequestError, PlatformError

DEFAULT_TYPE = "application/octet-stream"
_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+(?:; ?charset=[a-zA-Z0-9-]+)?", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]{44}):", re.ASCII)
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)


class FileOut(BaseModel):
    """A file."""

    id: str
    name: str
    kind: Literal["file", "backup"] = Field(description="backup: made by the tool system.backup.")
    media_type: str
    size_bytes: int
    sha256: str = Field(description="In hex.")
    owner: str
    created_at: str
    expires_at: str
    details: dict[str, Any] = Field(description="What made it says of it.")


class FilePage(BaseModel):
    """A page of files, newest first."""

    items: list[FileOut]
    total: int
    limit: int
    offset: int
    has_more: bool
    next_page_token: str | None


class RangeNotSatisfiableError(PlatformError):
    """The file is shorter than where the range begins."""

    code, http_status, title = "range_not_satisfiable", 416, "Range Not Satisfiable"


def file_out(file: File) -> dict[str, Any]:
    """A file as the API shows it."""
    return {
        "id": str(file.id),
        "name": file.name,
        "kind": file.kind,
        "media_type": file.media_type,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "owner": file.owner_sub,
        "created_at": iso(file.created_at),
        "expires_at": iso(file.expires_at),
        "details": file.details,
    }


def file_etag(file: File) -> str:
    """Of the content, which never changes."""
    return f'"{file.sha256}"'


def parse_file_id(raw: str) -> UUID:
    """BadRequestError when it is no UUID."""
    try:
        return UUID(raw)
    except ValueError as error:
        raise BadRequestError("A file id is a UUID.", code="invalid_file_id") from error


def media_type_of(header: str | None) -> str:
    """The media type that an upload says it has."""
    said = (header or "").strip().lower()
    if not said:
        return DEFAULT_TYPE
    if len(said) > 100 or not _TYPE.fullmatch(said):
        raise BadRequestError("Content-Type is a media type like text/csv.", code="invalid_media_type")
    return said


def digest_of(parameter: str | None, header: str | None) -> str:
    """SHA-256 in hex that the client says its upload has: ``sha256=`` in the query, or Content-Digest (RFC 9530)."""
    if parameter:
        if not _HEX.fullmatch(parameter.lower()):
            raise BadRequestError("sha256 is 64 hexadecimal digits.", code="invalid_digest")
        return parameter.lower()
    if not header:
        return ""
    found = _DIGEST.search(header)
    try:
        raw = base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        raw = b""
    if len(raw) != 32:
        raise BadRequestError("Content-Digest needs a member sha-256=:BASE64:.", code="invalid_digest")
    return raw.hex()


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """(first, last) byte that Range asks for; None for the whole file, as for a header that asks for several ranges or
    cannot be understood (RFC 9110, 14.2). RangeNotSatisfiableError."""
    asked = _RANGE.fullmatch((header or "").replace(" ", ""))
    if asked is None or asked[0] == "bytes=-":
        return None
    if not asked[1]:
        first, last = max(0, size - int(asked[2])), size - 1
    else:
        first, last = int(asked[1]), min(int(asked[2]) if asked[2] else size - 1, size - 1)
        if asked[2] and int(asked[2]) < int(asked[1]):
            return None
    if first >= size or first > last:
        raise RangeNotSatisfiableError(f"The file has {size} bytes.", size_bytes=size)
    return first, last


def attachment(name: str) -> str:
    """Content-Disposition for a name of any characters (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
