"""How often one address may call what answers without a session: each call begins a session row or asks the issuer."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.backoffice import notices
from apps.backoffice.layers import View
from kernel.rate_limit import limiter
from kernel.rate_limit.windows import MINUTE, Limit
from kernel.redis_keys import RATELIMIT_ADDRESS
from kernel.request_context import current
from kernel.web.client_address import limited_address


def limited(view: View) -> View:
    """The view, or 429 with Retry-After; counted apart from the API's calls, and without Redis by this process."""

    def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        key = RATELIMIT_ADDRESS(address=limited_address(current().client_ip or request.META.get("REMOTE_ADDR", "")))
        limit = Limit("address", key, settings.ADMIN_SIGN_IN_CALLS_PER_MINUTE, MINUTE, owner="admin")
        decision = limiter.take([limit])
        if decision.allowed:
            return view(request, *args, **kwargs)
        refused = notices.problem(request, decision.error())
        refused["Retry-After"] = str(decision.retry_after_s)
        return refused

    return counted
