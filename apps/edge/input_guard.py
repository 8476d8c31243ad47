"""Layer 6: what the API takes at all (SPEC 2.6): JSON of bounded size and depth, for a host name it answers to, and
nothing in path or query that looks like a piece of a program. What a body may hold its schema says (kernel.web.fields).
"""

import re
from collections.abc import Callable
from typing import IO, Any, cast

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import HttpRequest, UnreadablePostError
from django.http.response import HttpResponseBase

from kernel import injection
from kernel.errors import BadRequestError, PayloadTooLargeError, PlatformError, UnsupportedMediaTypeError
from kernel.web import uploads
from kernel.web.problem import problem_response

API_PREFIX = "/v1/"
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
MAX_DEPTH = 64
FORM = "application/x-www-form-urlencoded"
FORM_PATHS = frozenset({"/v1/auth/introspect"})  # RFC 7662 asks for a form; no cookie authenticates here, so no CSRF
QUERY_MAX_BYTES, QUERY_PARAMETERS_MAX = 8192, 50
# Route -> parameters that hold free text, which is not judged: names of tenants may have any characters.
FREE_PARAMETERS: dict[str, frozenset[str]] = {
    "v1/tenants": frozenset({"q"}),
    "v1/admin/tenants": frozenset({"q"}),
    "v1/files": frozenset({"name"}),
}
SIGNED_PARAMETERS = frozenset({"page_token", "cursor"})  # opaque: their signature decides
_PARAMETER = re.compile(r"(?!.*__)[A-Za-z][A-Za-z0-9_-]{0,63}", re.DOTALL).fullmatch
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class InputGuard:
    """Refuses with 400, 413 or 415. Headers first; the body is read only for a caller whose token was good."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._refusal(request, check_headers) or self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object = None, arguments: object = (), named: dict[str, Any] | None = None
    ) -> HttpResponseBase | None:
        """Called when every layer has let the request through."""
        return self._refusal(request, lambda request: check_address(request, named or {})) or self._refusal(
            request, check_body
        )

    def _refusal(self, request: HttpRequest, check: Callable[[HttpRequest], None]) -> HttpResponseBase | None:
        if request.path_info.startswith(API_PREFIX):
            try:
                check(request)
            except PlatformError as problem:
                return problem_response(request, problem)
        return None


def check_headers(request: HttpRequest) -> None:
    """Host, announced length and content type."""
    try:
        request.get_host()
    except DisallowedHost as error:
        raise BadRequestError("The API does not answer to this host name.", code="unknown_host") from error
    length = request.META.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdigit()):
        raise BadRequestError("Content-Length is not a number.")
    if uploads.is_upload(request.method, request.path_info):  # of any type; its view takes and counts it
        return
    if length and int(length) > settings.MAX_BODY_BYTES:
        raise _too_large()
    if length.strip("0") and request.method in BODY_METHODS:
        _check_type(request)


def check_address(request: HttpRequest, path_values: dict[str, Any]) -> None:
    """Values of the path, names and values of the query. BadRequestError (suspicious_input) says which one it was."""
    for name, value in path_values.items():
        _judge(f"The part of the path that is the {name}", value)
    query = request.META.get("QUERY_STRING", "")
    if not query:
        return
    if len(query) > QUERY_MAX_BYTES or query.count("&") >= QUERY_PARAMETERS_MAX:
        raise BadRequestError(
            f"The query may have {QUERY_PARAMETERS_MAX} parameters and {QUERY_MAX_BYTES} bytes at most."
        )
    route = request.resolver_match.route if request.resolver_match else ""
    free = FREE_PARAMETERS.get(route, frozenset())
    for name, values in request.GET.lists():
        if not _PARAMETER(name):
            raise BadRequestError(
                "The query has a parameter whose name is none. /v1/docs lists the parameters.", code="unknown_parameter"
            )
        for value in values:
            if name not in free and name not in SIGNED_PARAMETERS:
                _judge(f"The parameter {name}", value)


def _judge(what: str, value: Any) -> None:
    if isinstance(value, str) and (kind := injection.find(value)):
        raise BadRequestError(f"{what} looks like {kind}.", code="suspicious_input", kind=kind)


def check_body(request: HttpRequest) -> None:
    """Real length, content type of a body that was not announced, depth."""
    if request.method not in BODY_METHODS or uploads.is_upload(request.method, request.path_info):
        return
    body = _read(request, declared=bool(request.META.get("CONTENT_LENGTH")))
    if body:
        _check_type(request)
        if nesting_exceeds(body, MAX_DEPTH):
            raise BadRequestError(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep")


def _check_type(request: HttpRequest) -> None:
    if request.content_type == FORM and request.path_info in FORM_PATHS:
        return
    if request.content_type != "application/json":
        raise UnsupportedMediaTypeError("Send the body as application/json.")


def _read(request: HttpRequest, *, declared: bool) -> bytes:
    """The whole body, at most MAX_BODY_BYTES. Under WSGI Django takes a body of undeclared length for an empty one."""
    try:
        if not declared and "HTTP_TRANSFER_ENCODING" in request.META and "wsgi.input" in request.META:
            stream = cast(IO[bytes], request.META["wsgi.input"])
            request._body = stream.read(settings.MAX_BODY_BYTES + 1)
            request.META["CONTENT_LENGTH"] = str(len(request._body))  # DRF reads no body without a length
        body = request.body
    except RequestDataTooBig as error:
        raise _too_large() from error
    except UnreadablePostError as error:
        raise BadRequestError("The body ended before its announced length.") from error
    if len(body) > settings.MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(
        f"The body may have {settings.MAX_BODY_BYTES} bytes at most.", max_bytes=settings.MAX_BODY_BYTES
    )


def nesting_exceeds(body: bytes, limit: int) -> bool:
    """Whether arrays and objects of this JSON text lie deeper in each other than ``limit``, strings aside."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > limit:
            return True
    return False
