"""Layer 7: no answer of the API carries personal data or secrets that its route does not exist to show, and none is
larger than MAX_RESPONSE_BYTES (SPEC 2.7).

The tenant's ``pii_mode`` decides what stands in place of what is found; without a tenant it is masked. What the caller
sent itself and reads back is scrubbed too: whoever may read the answer is not always whom it was told to.
"""

import hashlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from pydantic_core import from_json, to_json

from apps.audit import trail
from apps.identity.principal import Principal
from apps.tenancy.config import TenantConfig
from kernel import metrics
from kernel.errors import ResponseTooLargeError
from kernel.pii.document import scrub_json_bytes
from kernel.pii.keys import digest_key
from kernel.pii.text import Counts, Mode
from kernel.web.problem import problem_response

API_PREFIX = "/v1/"
DOCUMENTS = ("application/json", "application/problem+json")
LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl")
# Written by us and the same for everybody; a file's bytes are those that its SHA-256 names.
UNGUARDED = frozenset({"v1/openapi.json", "v1/docs", "v1/redoc", "v1/files/<str:file_id>/content"})

# Route -> fields that it exists to show (paths as in kernel.pii.document.allowed). Owners and actors are subjects:
# names by which other calls are made, though some issuers make them of addresses.
_OWNERS = frozenset({"owner", "owner_sub", "user_id", "items.owner", "items.owner_sub", "items.user_id"})
_TENANT = frozenset({"admin_email", "items.admin_email", "admin.username", "admin.email", "admin.initial_password"})
_AUDIT = frozenset(
    f"{where}{name}" for where in ("", "items.") for name in ("actor", "user_id", "client_ip", "resource_id")
)
# Where providers are, and who staged what; spending by user names users.
_PROVIDER = frozenset({"base_url", "items.base_url"})
# Who approves a call sees what would be done; the list of them does not.
_APPROVAL = frozenset({"owner", "owner_sub", "decided_by", "arguments", "arguments_text"})
_MANIFEST = frozenset(
    f"{where}{name}"
    for where in ("", "items.")
    for name in ("staged_by", "activated_by", "document.providers.base_url")
)
ALLOWED: dict[str, frozenset[str]] = {
    "v1/auth/me": frozenset({"sub", "username", "email"}),
    "v1/auth/introspect": frozenset({"sub", "username", "iss", "aud", "client_id"}),
    **{
        f"v1/{area}{rest}": _OWNERS
        for area in ("jobs", "admin/jobs")
        for rest in ("", "/<str:job_id>", "/<str:job_id>/retry")
    },
    **{f"v1/{area}{rest}": _OWNERS for area in ("sessions", "agents/sessions") for rest in ("", "/<str:session_id>")},
    **{
        f"v1/{area}{rest}": _TENANT
        for area in ("tenants", "admin/tenants")
        for rest in ("", "/<str:tenant_id>", "/<str:tenant_id>/suspend", "/<str:tenant_id>/resume")
    },
    **{
        f"v1/admin/models/providers{rest}": _PROVIDER
        for rest in ("", "/register", "/<str:provider_id>", "/<str:provider_id>/default")
    },
    **{
        f"v1/admin/models/manifests/{rest}": _MANIFEST
        for rest in ("builtins", "staged", "activations", "history", "rollbacks")
    },
    **{f"v1/{area}models/usage": frozenset({"items.key"}) for area in ("", "admin/")},
    **{
        f"v1/files{rest}": _OWNERS | {"sha256", "items.sha256", "name", "items.name"} for rest in ("", "/<str:file_id>")
    },
    **{f"v1/tools/{rest}": _OWNERS for rest in ("invocations", "<str:name>/invocations", "approvals")},
    "v1/tools/<str:name>/invocations/<str:invocation_id>": _OWNERS,
    "v1/tools/approvals/<str:approval_id>": _APPROVAL,
    "v1/admin/audit": _AUDIT,
    "v1/admin/audit/export": _AUDIT,
}
DEFAULT_MODE: Mode = "mask"  # where no tenant is known
NOTHING: frozenset[str] = frozenset()
NOTED_EVERY_S = 1.0
NOTED_ROUTES_MAX = 4096
HARMLESS_MAX = 16_384


class OutputGuard:
    """Scrubs what inner layers and views answer under /v1/; `X-PII-Redacted` says how many values it replaced."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.path_info.startswith(API_PREFIX):
            return response
        route = request.resolver_match.route if request.resolver_match else ""
        if route in UNGUARDED:
            return response
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if isinstance(response, StreamingHttpResponse):
            return self._lines(request, response, route) if kind in LINES else response
        if isinstance(response, HttpResponse) and kind in DOCUMENTS and response.content:
            return self._document(request, response, route)
        return response

    def _document(self, request: HttpRequest, response: HttpResponse, route: str) -> HttpResponse:
        body = response.content
        if len(body) > settings.MAX_RESPONSE_BYTES:
            cut = cut_page(body, settings.MAX_RESPONSE_BYTES)
            if cut is None:
                return _too_large(request, response)
            body = cut
            response["X-Content-Truncated"] = "true"
        clean, counts = scrub_json_bytes(body, mode_of(request), _key(request), ALLOWED.get(route, NOTHING))
        if clean is not response.content:
            response.content = clean
            response["Content-Length"] = str(len(clean))
        if counts:
            response["X-PII-Redacted"] = str(sum(counts.values()))
            _note(request, route, counts)
        return response

    def _lines(self, request: HttpRequest, response: StreamingHttpResponse, route: str) -> StreamingHttpResponse:
        """One JSON document a line; a line leaves when it is whole."""
        mode, key, allow = mode_of(request), _key(request), ALLOWED.get(route, NOTHING)

        def clean(line: bytes) -> bytes:
            scrubbed, counts = scrub_json_bytes(line.rstrip(b"\n"), mode, key, allow)
            if counts:
                _note(request, route, counts)
            return scrubbed + b"\n" if line.endswith(b"\n") else scrubbed

        if mode == "off":
            return response
        del response.headers["Content-Length"]
        pieces = response.streaming_content
        if isinstance(pieces, AsyncIterator):
            response.streaming_content = _async_lines(pieces, clean)
        else:
            response.streaming_content = _lines_of(pieces, clean)
        return response


class Notes:
    """One audit line a second for each tenant and route, with how many values were replaced since the one before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: dict[tuple[str, str], tuple[float, Counts]] = {}

    def add(self, principal: Principal | None, route: str, counts: Counts) -> None:
        for kind, count in counts.items():
            metrics.PII_REDACTED.labels(kind).inc(count)
        tenant_id = principal.tenant_id if principal else None
        now = time.monotonic()
        with self._lock:
            noted_at, waiting = self._pending.get((str(tenant_id), route), (float("-inf"), {}))
            total = {kind: waiting.get(kind, 0) + counts.get(kind, 0) for kind in waiting.keys() | counts.keys()}
            due = now - noted_at >= NOTED_EVERY_S
            if len(self._pending) >= NOTED_ROUTES_MAX:
                self._pending.clear()
            self._pending[(str(tenant_id), route)] = (now, {}) if due else (noted_at, total)
        if due:
            trail.note(
                tenant_id=tenant_id,
                actor=principal.sub if principal else "anonymous",
                action="output.redacted",
                resource_type="route",
                resource_id=route,
                outcome=trail.SUCCESS,
                details={"redacted": total},
            )


NOTES = Notes()
_harmless: set[bytes] = set()  # digests of events without anything to hide; the event loop's alone


def scrub_event(data: bytes, *, principal: Principal | None, config: TenantConfig | None, route: str) -> bytes:
    """One event of a stream, as OutputGuard would answer it: JSON on one line stays JSON on one line.

    A thousand streams send the same event; one in which nothing was found is looked through once.
    """
    mode = mode_for(config)
    mark = hashlib.blake2b(data, digest_size=16, person=mode.encode()).digest()
    if mark in _harmless:
        return data
    clean, counts = scrub_json_bytes(data, mode, _key_for(principal), ALLOWED.get(route, NOTHING))
    if counts:
        NOTES.add(principal, route, counts)
    elif clean is data:
        if len(_harmless) >= HARMLESS_MAX:
            _harmless.clear()
        _harmless.add(mark)
    return clean


def mode_for(config: TenantConfig | None) -> Mode:
    """The tenant's, or the platform's where none is known."""
    return DEFAULT_MODE if config is None else config.settings.pii_mode


def mode_of(request: HttpRequest) -> Mode:
    """The same for a request that layer 5 may not have seen."""
    return mode_for(getattr(request, "tenant_config", None))


def cut_page(body: bytes, limit: int) -> bytes | None:
    """The page with as many of its ``items`` as fit, saying what was left out; None for what is no page."""
    page = from_json(body)
    if not isinstance(page, dict) or not isinstance(page.get("items"), list):
        return None
    items: list[Any] = page["items"]
    marks = {
        "truncated": True,
        "truncated_reason": f"The page was larger than {limit} bytes. Ask again with a smaller limit.",
        "items_omitted": len(items),
        # The next page would begin behind what was left out.
        **{name: None for name in ("next_page_token", "next_cursor") if name in page},
        **({"has_more": True} if "has_more" in page else {}),
    }
    left = limit - len(to_json({**page, **marks, "items": []}))
    fitting = 0
    for item in items:
        left -= len(to_json(item)) + 1
        if left < 0:
            break
        fitting += 1
    if left < 0 and not fitting:
        return None
    return to_json({**page, **marks, "items": items[:fitting], "items_omitted": len(items) - fitting})


def _too_large(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    problem = problem_response(
        request,
        ResponseTooLargeError(
            f"The answer is larger than {settings.MAX_RESPONSE_BYTES} bytes. Ask for less: a smaller page, a filter, or"
            " an export.",
            max_bytes=settings.MAX_RESPONSE_BYTES,
        ),
    )
    for name in response.headers.keys() - {"Content-Type", "Content-Length", "ETag", "Cache-Control"}:
        problem[name] = response[name]
    problem["Content-Length"] = str(len(problem.content))
    problem["X-Content-Truncated"] = "true"
    return problem


def _key(request: HttpRequest) -> bytes:
    return _key_for(getattr(request, "principal", None))


def _key_for(principal: Principal | None) -> bytes:
    return digest_key(settings.SECRET_KEY, str(principal.tenant_id) if principal else "")


def _note(request: HttpRequest, route: str, counts: Counts) -> None:
    NOTES.add(getattr(request, "principal", None), route, counts)


def _lines_of(pieces: Iterator[bytes], clean: Callable[[bytes], bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if whole:
            yield b"".join(clean(line + b"\n") for line in whole)
    if rest:
        yield clean(rest)


async def _async_lines(pieces: AsyncIterator[bytes], clean: Callable[[bytes], bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        if whole:
            yield b"".join(clean(line + b"\n") for line in whole)
    if rest:
        yield clean(rest)
