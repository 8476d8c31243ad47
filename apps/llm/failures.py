"""How a provider can fail, in the words that decide what happens next; resilience/retry.py says what that is."""

from enum import StrEnum


class FailureKind(StrEnum):
    """Why an attempt gave no answer."""

    CONNECTION = "connection"  # refused, reset, no such name, TLS
    TIMEOUT = "timeout"  # connected, but the answer or its next byte did not come in time
    RATE_LIMIT = "rate_limit"  # 429; retry_after_s when the provider said so
    SERVER = "server"  # 5xx, and 408
    GARBAGE = "garbage"  # an answer that is no answer: not JSON, HTML, missing parts, tool arguments that are no object
    SCHEMA = "schema"  # well-formed, but not what response_schema asks for, even when asked again
    TOO_LARGE = "too_large"  # the answer exceeds what is read
    INTERRUPTED = "interrupted"  # cut after the first token: what came is no answer
    AUTH = "auth"  # 401, 403: the key is wrong
    NOT_FOUND = "not_found"  # 404: no such model there
    CONTEXT_LENGTH = "context_length"  # the messages are longer than the model takes
    BAD_REQUEST = "bad_request"  # another 4xx: this request would fail anywhere
    UNSUPPORTED = "unsupported"  # the address or the adapter does not do this
    CIRCUIT_OPEN = "circuit_open"  # not asked: it failed too often just now
    BUSY = "busy"  # not asked: as many calls under way as it may have
    BUDGET = "budget"  # not asked: it would cost more than is left
    CANCELLED = "cancelled"  # the caller does not want it any more


class ProviderFailure(Exception):
    """An attempt failed. ``detail`` never holds a key or a header; ``retry_after_s`` is the provider's own word."""

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        status_code: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.status_code = status_code
        self.retry_after_s = retry_after_s
