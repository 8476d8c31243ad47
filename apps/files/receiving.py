"""Uploads: a piece in memory at a time, held against what was said of them, and made once for each Idempotency-Key.

A key belongs to the file that was whole first. Nothing is kept of an upload before that, so one that broke off is
simply sent again; one whose key has a file already is read to its end, to be compared, and written nowhere.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from pydantic_core import to_json

from apps.files import disk, selectors
from apps.files.models import File
from apps.files.services import Also, begin, too_large
from apps.identity.principal import Principal
from kernel import metrics
from kernel.connections import give_back
from kernel.errors import BadRequestError, ConflictError, NotFoundError, ValidationError
from kernel.idempotency import RequestKey, Taken, find_key, take_key
from kernel.tenant_context import tenant_scope

ROUTE = "/v1/files"
REUSED = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class Upload:
    """What a caller says of what it sends. ``announced``: bytes, where it says; ``sha256``: hex, or empty."""

    name: str
    media_type: str
    announced: int | None = None
    sha256: str = ""


class _WasFirst(Exception):
    """Another upload with the same key was whole before this one."""


def receive(
    principal: Principal, upload: Upload, pieces: Iterable[bytes], *, also: Also = lambda file_id, sha256: None
) -> File:
    """An upload as a file. ValidationError (digest_mismatch) when it is not what was announced. ``also``: see finish().

    No connection to the database is held while bytes are waited for.
    """
    draft = begin(principal, name=upload.name, media_type=upload.media_type)
    done = False
    try:
        if upload.announced is not None:
            draft.set_aside(upload.announced)
        give_back()
        with open(draft.part, "xb", opener=disk.private) as file:

            def keep(piece: bytes) -> None:
                if draft.set_aside(file.tell() + len(piece)):
                    give_back()
                file.write(piece)

            digest = _through(upload, pieces, keep)
        row = draft.finish(draft.part, sha256=digest, also=also)
        done = True
    finally:
        if not done:
            draft.abandon()
    return row


def receive_once(principal: Principal, upload: Upload, pieces: Iterable[bytes], key: str) -> tuple[File, bool]:
    """As ``receive``, and whether an earlier upload with this key made the file. ConflictError when that was another
    upload, or when its file is gone."""
    asked = RequestKey(principal.tenant_id, principal.sub, ROUTE, key)
    with tenant_scope(principal.tenant_id):
        earlier = find_key(asked)
    if earlier is not None:
        give_back()
        digest = _through(upload, pieces, lambda piece: None)
        return _of_earlier(principal, earlier, _request_hash(upload, digest)), True
    hashes: list[str] = []

    def take(file_id: UUID, sha256: str) -> None:
        hashes.append(_request_hash(upload, sha256))
        if not take_key(asked, request_hash=hashes[0], resource_id=file_id):
            raise _WasFirst

    try:
        made = receive(principal, upload, pieces, also=take)
    except _WasFirst:
        with tenant_scope(principal.tenant_id):
            earlier = find_key(asked)
        if earlier is None:
            raise ConflictError("The Idempotency-Key has just expired. Use a new one.", code=REUSED) from None
        return _of_earlier(principal, earlier, hashes[0]), True
    metrics.IDEMPOTENCY_CHECKS.labels("new").inc()
    return made, False


def _through(upload: Upload, pieces: Iterable[bytes], keep: Callable[[bytes], None]) -> str:
    """The SHA-256 of an upload that is what was said of it, in hex; ``keep`` gets each piece within the limit."""
    digest, size_bytes = hashlib.sha256(), 0
    for piece in pieces:
        size_bytes += len(piece)
        if size_bytes > settings.FILES_MAX_BYTES:
            raise too_large()
        keep(piece)
        digest.update(piece)
    if upload.announced is not None and size_bytes != upload.announced:
        raise BadRequestError("The body ended before its announced length.")
    if upload.sha256 and digest.hexdigest() != upload.sha256:
        raise ValidationError(
            "What arrived is not what its SHA-256 says: send it again.",
            code="digest_mismatch",
            sha256=digest.hexdigest(),
        )
    return digest.hexdigest()


def _request_hash(upload: Upload, sha256: str) -> str:
    return hashlib.sha256(to_json([upload.name, upload.media_type, sha256])).hexdigest()


def _of_earlier(principal: Principal, earlier: Taken, request_hash: str) -> File:
    if earlier.request_hash != request_hash:
        metrics.IDEMPOTENCY_CHECKS.labels("mismatch").inc()
        raise ValidationError(
            "This Idempotency-Key was used for another file. Use a new key for another file.", code=REUSED
        )
    metrics.IDEMPOTENCY_CHECKS.labels("replayed").inc()
    try:
        return selectors.get_file(principal, earlier.resource_id)
    except NotFoundError as error:
        raise ConflictError(
            "The file that was sent with this Idempotency-Key is gone. Use a new key to send it again.", code=REUSED
        ) from error
