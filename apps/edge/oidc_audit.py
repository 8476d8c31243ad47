"""Sign-ins at the built-in issuer, in the audit log: identity itself lies below apps.audit and cannot write there.

Failures go to the platform's chain: whose account it would have been is not known, and a name typed may be no account.
"""

import base64
import binascii
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpRequest, RawPostDataException, UnreadablePostError
from django.http.response import HttpResponseBase

from apps.audit import trail
from apps.edge.rate_limit import check_address
from apps.identity.models import User
from kernel.request_context import current

LOGIN = "/oidc/login"
OF_CLIENTS = {"/oidc/token": "auth.token_refused", "/oidc/introspect": "auth.introspection_refused",
              "/oidc/revoke": "auth.revocation_refused"}  # fmt: skip
NAME_MAX = 254
SAID_AGAIN_AFTER_S = 60.0  # an address that is locked out is noted once a minute, however often it knocks
REMEMBERED_ADDRESSES = 10_000


class OidcAudit:
    """Notes what was answered to POST /oidc/login, token, introspect and revoke."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._lock = threading.Lock()
        self._locked_out: OrderedDict[str, float] = OrderedDict()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.method == "POST" and request.path_info.startswith("/oidc/"):
            if request.path_info == LOGIN:
                self._note_sign_in(request, response.status_code)
            elif request.path_info in OF_CLIENTS and response.status_code >= 400:
                self._note_client(request, response.status_code)
        return response

    def _note_sign_in(self, request: HttpRequest, status: int) -> None:
        user = getattr(request, "user", None)
        if status == 302 and isinstance(user, User):
            trail.note(
                tenant_id=user.tenant_id,
                actor=str(user.pk),
                action="auth.login",
                resource_type="account",
                resource_id=user.get_username(),
                outcome=trail.SUCCESS,
            )
        elif self._may_say(status):
            name = posted(request, "username")
            trail.note(
                tenant_id=None,
                actor="anonymous",
                action="auth.login_failed",
                resource_type="account",
                resource_id=name,
                details={"status": status, "locked_out": status == 429},
            )

    def _note_client(self, request: HttpRequest, status: int) -> None:
        if not self._may_say(status):
            return
        trail.note(
            tenant_id=None,
            actor="anonymous",  # who it says it is has not been proved
            action=OF_CLIENTS[request.path_info],
            resource_type="oauth-client",
            resource_id=client_of(request),
            details={"status": status, "grant_type": posted(request, "grant_type")},
        )

    def _may_say(self, status: int) -> bool:
        """Once a minute for an address that is locked out or beyond its limit, so that nobody fills the log."""
        return (status != 429 and check_address(current().client_ip).allowed) or self._is_news()

    def _is_news(self) -> bool:
        """Whether this address was not noted as locked out in the last minute."""
        address, at = current().client_ip, time.monotonic()
        with self._lock:
            if at - self._locked_out.get(address, float("-inf")) < SAID_AGAIN_AFTER_S:
                return False
            self._locked_out[address] = at
            self._locked_out.move_to_end(address)
            if len(self._locked_out) > REMEMBERED_ADDRESSES:
                self._locked_out.popitem(last=False)
        return True


def client_of(request: HttpRequest) -> str:
    """The client that says it is calling, from the form or from HTTP Basic; empty when it does not say."""
    kind, _, encoded = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(encoded, validate=True).decode().partition(":")[0][:NAME_MAX]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return posted(request, "client_id")


def posted(request: HttpRequest, name: str) -> str:
    """A field of the form; empty when the form could not be read, which is why it was refused."""
    try:
        return request.POST.get(name, "")[:NAME_MAX]
    except (BadRequest, SuspiciousOperation, UnreadablePostError, RawPostDataException):
        return ""
