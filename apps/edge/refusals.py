"""Before layer 3: an address whose tokens are refused too often may only go on with tokens known to be good.

Layer 3 answers a bad token itself, so its refusals never reach layer 4. Here they are counted by address on their way
out. Over the limit a 401 becomes a 429, and until the window has room again the address's other tokens are refused
unseen: no signature is checked and no audit row written for them. People who share the address with whoever tries (an
office, a proxy nobody declared) go on, as long as this process has seen their token before.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.edge.rate_limit import API_PREFIX, address_of, check_address, with_headers
from kernel.rate_limit.windows import Decision
from kernel.web.client_address import limited_address
from kernel.web.problem import problem_response

REMEMBERED_ADDRESSES = 10_000
REMEMBERED_TOKENS = 10_000


@dataclass(frozen=True, slots=True)
class _Blocked:
    until: float
    decision: Decision


class RefusalLimit:
    """At most RATE_LIMIT_ADDRESS answers 401 a minute for each address; 429 beyond."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._lock = threading.Lock()
        self._blocked: OrderedDict[str, _Blocked] = OrderedDict()
        self._good_tokens: OrderedDict[int, None] = OrderedDict()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(API_PREFIX) or request.path_info in settings.UNLIMITED_PATHS:
            return self.get_response(request)
        # This process's own keyed hash: a header cannot be made to match.
        token = hash(request.META.get("HTTP_AUTHORIZATION", ""))
        if self._blocked and token not in self._good_tokens:
            decision = self._blocked_by(limited_address(address_of(request)))
            if decision is not None:
                return with_headers(problem_response(request, decision.error()), decision)
        response = self.get_response(request)
        if response.status_code == 401 and not hasattr(request, "rate_decision"):
            self._good_tokens.pop(token, None)  # it expired, or was taken back
            return self._count(request, response)
        if getattr(request, "principal", None) is not None:
            self._remember(token)
        return response

    def _count(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        address = address_of(request)
        decision = check_address(address)
        if decision.allowed:
            return with_headers(response, decision)
        with self._lock:
            until = time.monotonic() + decision.retry_after_s
            self._blocked[limited_address(address)] = _Blocked(until, decision)
            if len(self._blocked) > REMEMBERED_ADDRESSES:
                self._blocked.popitem(last=False)
        return with_headers(problem_response(request, decision.error()), decision)

    def _blocked_by(self, address: str) -> Decision | None:
        """The decision that blocks the address, with what is left to wait; None when it is free."""
        blocked = self._blocked.get(address)
        if blocked is None:
            return None
        left_s = blocked.until - time.monotonic()
        if left_s <= 0:
            with self._lock:
                self._blocked.pop(address, None)
            return None
        return blocked.decision.waiting(left_s)

    def _remember(self, token: int) -> None:
        if token in self._good_tokens:
            return
        with self._lock:
            self._good_tokens[token] = None
            if len(self._good_tokens) > REMEMBERED_TOKENS:
                self._good_tokens.popitem(last=False)
