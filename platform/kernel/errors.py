"""Every error the platform raises on purpose. Each has a stable `code`, an HTTP status and says if a retry helps."""

from typing import Any


class PlatformError(Exception):
    """Root of the tree. ``detail`` is a sentence for the person; ``extra`` goes to the problem's extensions."""

    code = "internal_error"
    http_status = 500
    title = "Internal Server Error"
    retryable = False

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        retry_after_s: float | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or self.code
        self.errors = errors
        self.retry_after_s = retry_after_s
        self.extra = extra


class BadRequestError(PlatformError):
    """The request cannot be understood: a bad cursor, a malformed id, an unknown job type."""

    code, http_status, title = "bad_request", 400, "Bad Request"


class UnauthenticatedError(PlatformError):
    """No token, or one that is not valid. The reply never says which."""

    code, http_status, title = "unauthenticated", 401, "Unauthorized"


class ForbiddenError(PlatformError):
    """The caller is known and may not do this."""

    code, http_status, title = "forbidden", 403, "Forbidden"


class NotFoundError(PlatformError):
    """There is no such thing, or it belongs to somebody else: the two look the same."""

    code, http_status, title = "not_found", 404, "Not Found"


class NotAcceptableError(PlatformError):
    """The client does not accept what this resource can be shown as."""

    code, http_status, title = "not_acceptable", 406, "Not Acceptable"


class RequestTimeoutError(PlatformError):
    """The request took too long to arrive."""

    code, http_status, title, retryable = "request_timeout", 408, "Request Timeout", True


class ConflictError(PlatformError):
    """Somebody was first: the state has moved on."""

    code, http_status, title = "conflict", 409, "Conflict"


class PreconditionFailedError(PlatformError):
    """If-Match names a version that is no longer the present one: read again, then change."""

    code, http_status, title = "precondition_failed", 412, "Precondition Failed"


class PayloadTooLargeError(PlatformError):
    """The body exceeds the limit."""

    code, http_status, title = "payload_too_large", 413, "Payload Too Large"


class UnsupportedMediaTypeError(PlatformError):
    """The body is not JSON."""

    code, http_status, title = "unsupported_media_type", 415, "Unsupported Media Type"


class ValidationError(PlatformError):
    """The body is well-formed and wrong; ``errors`` lists {loc, msg, type}, one per fault."""

    code, http_status, title = "validation_error", 422, "Validation Error"


class PreconditionRequiredError(PlatformError):
    """The change needs to say which version it is made to (If-Match), or that its consequences are known."""

    code, http_status, title = "precondition_required", 428, "Precondition Required"


class RateLimitedError(PlatformError):
    """Too much; come back after ``retry_after_s``."""

    code, http_status, title, retryable = "rate_limited", 429, "Too Many Requests", True


class UnavailableError(PlatformError):
    """Something we depend on is down; a later try may succeed."""

    code, http_status, title, retryable = "unavailable", 503, "Service Unavailable", True


class DiskFullError(PlatformError):
    """The platform's own disk is full: nothing was kept. Its operator has to make room."""

    code, http_status, title, retryable = "disk_full", 507, "Insufficient Storage", True


class ResponseTooLargeError(PlatformError):
    """The answer exceeds what the platform sends in one piece, and cannot be cut."""

    code, http_status, title = "response_too_large", 500, "Response Too Large"
