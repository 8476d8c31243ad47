"""/v1/files: send one, list, read, take it back, delete. Contents pass through a piece at a time, both ways."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from apps.files import arriving, disk, receiving, schemas, selectors, services
from apps.identity.permissions import principal_of
from kernel import pagination
from kernel.connections import give_back
from kernel.errors import NotFoundError
from kernel.web import uploads
from kernel.web.api import ApiView
from kernel.web.etag import not_modified
from kernel.web.parameters import NO_STORE, idempotency_key, refuse_unknown
from kernel.web.schema import json_if_changed, json_response

PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}
CHUNK_BYTES = 256 * 1024
UNNAMED = "upload"


class FileList(ApiView):
    """Send a file, list files."""

    @extend_schema(
        operation_id="create_file",
        summary="Send a file",
        description="The body is the file itself, of any type and up to AGENTIC_FILES_MAX_BYTES. Say its SHA-256, and "
        "what arrives is held against it. The same key with the same name, type and body again: the same file.",
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER, description="Makes a repeat safe for 24 h."
            ),
            OpenApiParameter("name", str, description="What it is called; `upload` by default."),
            OpenApiParameter("sha256", str, description="Of the body, in hex."),
            OpenApiParameter(
                "Content-Digest", str, OpenApiParameter.HEADER, description="The same as RFC 9530 has it."
            ),
        ],
        request={schemas.DEFAULT_TYPE: OpenApiTypes.BINARY},
        responses={201: schemas.FileOut, 200: schemas.FileOut, 507: None},
        tags=["files"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"name", "sha256"})
        query, length = request.query_params, request.META.get("CONTENT_LENGTH") or ""
        key = idempotency_key(request.headers.get("Idempotency-Key"))
        upload = receiving.Upload(
            name=services.checked_name(query.get("name") or UNNAMED),
            media_type=schemas.media_type_of(request.META.get("CONTENT_TYPE")),
            announced=int(length) if length else None,
            sha256=schemas.digest_of(query.get("sha256"), request.headers.get("Content-Digest")),
        )
        if upload.announced is not None and upload.announced > uploads.max_bytes():
            raise uploads.too_large()
        principal = principal_of(request)
        with arriving.place((principal.tenant_id, principal.sub)):
            pieces = arriving.paced(uploads.pieces(request._request))
            if key is None:
                file, replayed = receiving.receive(principal, upload, pieces), False
            else:
                file, replayed = receiving.receive_once(principal, upload, pieces, key)
        headers = {
            "Location": request.build_absolute_uri(f"/v1/files/{file.id}"),
            "Idempotency-Replayed": "true" if replayed else "false",
            **NO_STORE,
        }
        return json_response(schemas.file_out(file), status=200 if replayed else 201, headers=headers)

    @extend_schema(
        operation_id="list_files",
        summary="List files",
        description="One's own; administrators see all files of their tenant.",
        parameters=[
            OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before."),
        ],
        responses=schemas.FilePage,
        tags=["files"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, {"limit", "page_token"})
        principal = principal_of(request)
        limit = pagination.parse_limit(request.query_params.get("limit"))
        scope = f"files:{principal.tenant_id}:{principal.sub}"
        after = pagination.decode_cursor(request.query_params.get("page_token"), scope=scope)
        files, total = selectors.list_files(principal, after=after, limit=limit)
        offset, token = after.offset if after else 0, None
        if len(files) > limit:
            files = files[:limit]
            last = pagination.Cursor(files[-1].created_at, files[-1].id, offset + limit)
            token = pagination.encode_cursor(last, scope=scope)
        items = [schemas.file_out(file) for file in files]
        body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
        return json_response(body, headers=PRIVATE)


class FileDetail(ApiView):
    """What is known of a file."""

    @extend_schema(operation_id="get_file", summary="Read about a file", responses=schemas.FileOut, tags=["files"])
    def get(self, request: Request, file_id: str) -> HttpResponse:
        refuse_unknown(request)
        file = selectors.get_file(principal_of(request), schemas.parse_file_id(file_id))
        headers = {"ETag": schemas.file_etag(file), **PRIVATE}
        return json_if_changed(request, lambda: schemas.file_out(file), headers)

    @extend_schema(operation_id="delete_file", summary="Delete a file", responses={204: None}, tags=["files"])
    def delete(self, request: Request, file_id: str) -> HttpResponse:
        refuse_unknown(request)
        services.delete_file(principal_of(request), schemas.parse_file_id(file_id))
        return HttpResponse(status=204, headers=NO_STORE)


class FileContent(ApiView):
    """The file itself, always as a download."""

    @extend_schema(
        operation_id="download_file",
        summary="Download a file, or one range of it",
        parameters=[
            OpenApiParameter("Range", str, OpenApiParameter.HEADER, description="One range, as bytes=0-1023."),
            OpenApiParameter("If-Range", str, OpenApiParameter.HEADER, description="ETag that the range is meant of."),
        ],
        responses={
            (200, schemas.DEFAULT_TYPE): OpenApiTypes.BINARY,
            (206, schemas.DEFAULT_TYPE): OpenApiTypes.BINARY,
            304: OpenApiResponse(description="The client has it."),
            416: OpenApiResponse(description="The file is shorter than that."),
        },
        tags=["files"],
    )
    def get(self, request: Request, file_id: str) -> HttpResponseBase:
        refuse_unknown(request)
        principal = principal_of(request)
        file = selectors.get_file(principal, schemas.parse_file_id(file_id))
        path, etag = disk.content(file.tenant_id, file.id), schemas.file_etag(file)
        headers = {
            "ETag": etag,
            "Accept-Ranges": "bytes",
            "Content-Disposition": schemas.attachment(file.name),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            **PRIVATE,
        }
        if not_modified(request, etag):
            return HttpResponse(status=304, headers=headers)
        if not path.is_file():
            raise NotFoundError("The file's content is not there any more.", code="file_content_missing")
        asked = request.headers.get("Range") if request.headers.get("If-Range", etag) == etag else None
        part = schemas.range_of(asked, file.size_bytes)
        first, last = part or (0, file.size_bytes - 1)
        if part is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{file.size_bytes}"
        headers["Content-Length"] = str(last - first + 1)
        services.note_download(principal, file)
        give_back()  # not held while the client reads
        return StreamingHttpResponse(
            _chunks(request._request, path, first, last - first + 1),
            status=200 if part is None else 206,
            content_type=file.media_type,
            headers=headers,
        )


def _chunks(request: HttpRequest, path: Path, first: int, length: int) -> Iterator[bytes] | AsyncIterator[bytes]:
    """A piece at a time, in the manner of the server: a synchronous iterator would be read whole by ASGI."""
    read = _read(path, first, length)
    return _read_async(read) if isinstance(request, ASGIRequest) else read


def _read(path: Path, first: int, length: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        while length > 0 and (chunk := file.read(min(CHUNK_BYTES, length))):
            length -= len(chunk)
            yield chunk


async def _read_async(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(pieces, b""), thread_sensitive=False)
    with closing(pieces):  # type: ignore[type-var]
        while chunk := await following():
            yield chunk
