"""The platform's settings with only some of its layers: BENCH_LAYERS lists class names, outermost first.

Without BearerAuth a stand-in says who is calling (BENCH_TENANT), so that the view works.
"""

import os
from collections.abc import Callable
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as ALL

WANTED = os.environ["BENCH_LAYERS"].split(",")
MIDDLEWARE = [path for path in ALL if path.rsplit(".", 1)[-1] in WANTED]
if "BearerAuth" not in WANTED:
    MIDDLEWARE.append("peers.layers_settings.StandIn")


class StandIn:
    """What BearerAuth leaves behind, for nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        from apps.identity.principal import Principal
        from apps.identity.rbac import scopes_of

        self.get_response = get_response
        tenant_id = UUID(os.environ["BENCH_TENANT"])
        self.principal = Principal("bench", tenant_id, frozenset({"user"}), scopes_of(["user"]))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.principal = self.principal  # type: ignore[attr-defined]
        return self.get_response(request)
