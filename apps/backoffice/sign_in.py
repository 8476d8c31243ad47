"""/admin/login, /admin/oidc/callback, /admin/logout. There is no password form: the issuer asks for passwords."""

from typing import Any
from urllib.parse import urlencode

import jwt
import requests
import structlog
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from apps.audit import trail
from apps.backoffice import notices, standing
from apps.backoffice.browser_sessions import end_browser_sessions
from apps.backoffice.oidc import discovery, oidc_setting
from apps.backoffice.rights import Staff
from apps.backoffice.told import tell

log = structlog.get_logger("backoffice")
SIGN_IN_TAKES_S = 600
NOT_ACCEPTED = (SuspiciousOperation, jwt.InvalidTokenError, KeyError, TypeError, ValueError)


class SignIn(OIDCAuthenticationRequestView):
    """Send the browser to the issuer, with state, nonce and a PKCE challenge."""

    get_settings = staticmethod(oidc_setting)

    def __init__(self, **kwargs: Any) -> None:
        super(OIDCAuthenticationRequestView, self).__init__(**kwargs)
        self.OIDC_RP_CLIENT_ID = settings.ADMIN_CLIENT_ID

    @property
    def OIDC_OP_AUTH_ENDPOINT(self) -> str:  # noqa: N802 - the library's name
        return str(oidc_setting("OIDC_OP_AUTHORIZATION_ENDPOINT"))

    def get(self, request: HttpRequest) -> HttpResponseBase:
        try:
            response: HttpResponseBase = super().get(request)
        except (requests.RequestException, *NOT_ACCEPTED) as error:
            log.warning("admin_issuer_away", error=type(error).__name__, detail=str(error)[:300])
            return notices.issuer_away(request)
        if getattr(request, "staff", None) is None:
            request.session.set_expiry(SIGN_IN_TAKES_S)
        return response


class Callback(OIDCAuthenticationCallbackView):
    """Where the issuer sends the browser back to: exchange the code, check the ID token, begin a session."""

    get_settings = staticmethod(oidc_setting)

    def get(self, request: HttpRequest) -> HttpResponseBase:
        # Anybody can call this address; only the end of a sign-in that was begun is worth an audit row.
        self.was_begun = request.GET.get("state") in request.session.get("oidc_states", {})
        try:
            return super().get(request)
        except requests.RequestException as error:
            refused = error.response is not None and error.response.status_code in (400, 401, 403)
            log.warning("admin_sign_in_failed", error=type(error).__name__, refused=refused)
            return notices.sign_in_failed(request) if refused else notices.issuer_away(request)
        except NOT_ACCEPTED as error:
            log.warning("admin_sign_in_failed", error=type(error).__name__, detail=str(error)[:300])
            return self.login_failure()

    def login_failure(self) -> HttpResponse:
        if self.was_begun:
            actor = str(getattr(self.request, "admin_sub", "anonymous"))
            trail.note(tenant_id=None, actor=actor, action="admin.sign_in_failed")
        return notices.sign_in_failed(self.request)

    def login_success(self) -> HttpResponse:
        response: HttpResponse = super().login_success()
        standing.begin(self.request, sub=self.request.admin_sub)
        standing.identify(self.request)
        staff: Staff | None = self.request.staff
        if staff is None:
            return self.login_failure()
        tell(staff, "signed_in", tenant_id=staff.tenant_id, resource_type="user", resource_id=staff.user_id)
        return response


def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End the session here and the person's sessions at the issuer."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    staff: Staff | None = request.staff  # type: ignore[attr-defined]
    leave_to = "/admin/signed-out"
    if staff is not None:
        tell(staff, "signed_out", tenant_id=staff.tenant_id, resource_type="user", resource_id=staff.user_id)
        if settings.OIDC_ISSUER:
            leave_to = _issuers_sign_out(request) or leave_to
        else:
            end_browser_sessions(staff.user_id)
    request.session.flush()
    return HttpResponseRedirect(leave_to)


def _issuers_sign_out(request: HttpRequest) -> str | None:
    """OpenID Connect RP-Initiated Logout 1.0, where the issuer has it."""
    try:
        endpoint = discovery.get().get("end_session_endpoint")
    except (requests.RequestException, *NOT_ACCEPTED) as error:
        log.warning("admin_issuer_away", error=type(error).__name__)
        return None
    if not isinstance(endpoint, str):
        return None
    back = {
        "client_id": settings.ADMIN_CLIENT_ID,
        "post_logout_redirect_uri": f"{settings.PUBLIC_URL}/admin/signed-out",
        "id_token_hint": request.session.get("oidc_id_token", ""),
    }
    return f"{endpoint}?{urlencode(back)}"
