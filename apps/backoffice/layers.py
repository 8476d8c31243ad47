"""What lies around every page of /admin and nothing else: a session under its own cookie, CSRF, the person, headers.

The API has no cookies, so none of this stands in MIDDLEWARE. The cookie is not the issuer's: both may live in one
browser. CSRF secrets are kept in the session, so there is no second cookie to plant.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CSRF_SESSION_KEY, CsrfViewMiddleware
from django.utils.cache import patch_vary_headers
from django.utils.decorators import decorator_from_middleware
from django.utils.deprecation import MiddlewareMixin
from django.views.decorators.cache import never_cache

from apps.backoffice import standing

View = Callable[..., HttpResponseBase]


class AdminSessions(SessionMiddleware):
    """Django's sessions under the admin's own cookie."""

    def process_request(self, request: HttpRequest) -> None:
        request.session = self.SessionStore(request.COOKIES.get(settings.ADMIN_COOKIE_NAME))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = request.session
        name, path = settings.ADMIN_COOKIE_NAME, settings.ADMIN_COOKIE_PATH
        patch_vary_headers(response, ("Cookie",))
        if session.is_empty():
            if name in request.COOKIES:
                response.delete_cookie(name, path=path, samesite="Lax")
        elif session.modified and response.status_code < 500:
            try:
                session.save()
            except UpdateError:  # ended from elsewhere since this request began
                response.delete_cookie(name, path=path, samesite="Lax")
                return response
            response.set_cookie(
                name,
                session.session_key or "",
                max_age=session.get_expiry_age(),
                path=path,
                secure=settings.SESSION_COOKIE_SECURE,
                httponly=True,
                samesite="Lax",  # not Strict: the issuer sends the browser back from another site
            )
        return response


class SessionCsrf(CsrfViewMiddleware):
    """Django's CSRF protection with its secret in the session.

    ModelAdmin brings CSRF protection of its own, which knows only the issuer's cookie: that cookie is neither heard nor
    sent here.
    """

    def _get_secret(self, request: HttpRequest) -> str | None:
        secret: str | None = request.session.get(CSRF_SESSION_KEY)
        return secret

    def process_request(self, request: HttpRequest) -> None:
        request.COOKIES.pop(settings.CSRF_COOKIE_NAME, None)
        super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:  # type: ignore[override]
        secret = request.META.get("CSRF_COOKIE")
        if secret is not None and request.session.get(CSRF_SESSION_KEY) != secret:
            request.session[CSRF_SESSION_KEY] = secret
        response.cookies.pop(settings.CSRF_COOKIE_NAME, None)
        return response


class Person(MiddlewareMixin):
    """request.staff and request.user, looked up anew for each request."""

    def process_request(self, request: HttpRequest) -> None:
        standing.identify(request)


def content_security_policy() -> str:
    """Alpine, which unfold is built on, evaluates its attributes: hence unsafe-eval, but no inline script."""
    # A sign-out is a form whose answer may lead to an external issuer.
    issuer = urlsplit(settings.OIDC_ISSUER)
    sign_out_at = f" {issuer.scheme}://{issuer.netloc}" if settings.OIDC_ISSUER else ""
    return (
        "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self'; form-action 'self'{sign_out_at}; frame-ancestors 'none'; base-uri 'none'"
    )


_LAYERS = (AdminSessions, SessionCsrf, MessageMiddleware, Person)


def page(view: View) -> View:
    """A page for people: session, CSRF protection, messages, the person, strict headers."""

    def with_headers(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = layered(request, *args, **kwargs)
        response["Content-Security-Policy"] = content_security_policy()
        response["X-Frame-Options"] = "DENY"
        response["X-Content-Type-Options"] = "nosniff"
        response["Referrer-Policy"] = "same-origin"
        response["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    decorators = [decorator_from_middleware(layer) for layer in _LAYERS]
    layered = reduce(lambda inner, layer: layer(inner), reversed(decorators), view)
    return cast(View, never_cache(with_headers))
