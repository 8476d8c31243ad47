"""/oidc: the built-in issuer. Protocol by django-oauth-toolkit; keys, names and pages are ours.

Sessions, CSRF protection and page headers are put around the pages here and not in MIDDLEWARE: the API has no cookies.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.views import LoginView
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.middleware.csrf import CsrfViewMiddleware
from django.shortcuts import render
from django.utils.decorators import decorator_from_middleware
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods
from oauth2_provider import views as toolkit

from apps.identity.introspection import describe, describe_to
from apps.identity.issuer import keyring, own_issuer
from apps.identity.models import User
from apps.identity.oauth import IssuerValidator, may_sign_in
from apps.identity.rbac import grantable
from apps.identity.scopes import SCOPE_TEXTS
from apps.identity.services import sign_out_everywhere
from apps.identity.throttle import begin_attempt
from apps.identity.tokens import verify
from kernel.errors import RateLimitedError
from kernel.web.client_address import client_address, limited_address
from kernel.web.problem import problem_headers

View = Callable[..., HttpResponseBase]
JWKS_MAX_AGE_S = 300
GRANT_TYPES = ["authorization_code", "refresh_token"]
PAGE_HEADERS = {
    # No form-action: the consent form's answer redirects to the client.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_SESSION_LAYERS = (SessionMiddleware, CsrfViewMiddleware, AuthenticationMiddleware)


def page(view: View) -> View:
    """A page for people: session, signed-in user, CSRF protection, strict headers."""

    def with_headers(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        for name, value in PAGE_HEADERS.items():
            response[name] = value
        return response

    layers = [decorator_from_middleware(layer) for layer in _SESSION_LAYERS]
    return cast(View, never_cache(reduce(lambda inner, layer: layer(inner), reversed(layers), with_headers)))


@require_GET
def discovery(request: HttpRequest) -> HttpResponse:
    """OpenID Connect Discovery 1.0 and RFC 8414 in one document."""
    issuer = own_issuer()
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "scopes_supported": list(SCOPE_TEXTS),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GRANT_TYPES,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "claims_supported": list(IssuerValidator.oidc_claim_scope),
        "authorization_response_iss_parameter_supported": True,
    }
    return _public_document(document)


@require_GET
def jwks(request: HttpRequest) -> HttpResponse:
    """The public halves of all keys, newest first."""
    return _public_document(keyring().public_jwks())


def _public_document(document: dict[str, Any]) -> HttpResponse:
    headers = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE_S}", "Access-Control-Allow-Origin": "*"}
    return JsonResponse(document, headers=headers)


class SignInForm(AuthenticationForm):
    """User name and password; the same words whatever is wrong."""

    def confirm_login_allowed(self, user: Any) -> None:
        if not may_sign_in(user):
            raise self.get_invalid_login_error()


class SignInView(LoginView):
    """/oidc/login."""

    template_name = "identity/login.html"
    authentication_form = SignInForm
    next_page = "/oidc/account"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            attempt = begin_attempt(account=request.POST.get("username", ""), address=_address(request))
        except RateLimitedError as error:
            context = self.get_context_data(form=self.get_form_class()(request), refused=error.detail)
            return self.render_to_response(context, status=429, headers=problem_headers(error))
        response = super().post(request, *args, **kwargs)
        if response.status_code == 302:
            attempt.succeeded()
        return response


@require_GET
def account(request: HttpRequest) -> HttpResponse:
    """Where one lands who signs in without an application asking."""
    return render(request, "identity/account.html")


@require_http_methods(["POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session and takes back every token of the person."""
    if isinstance(request.user, User):
        sign_out_everywhere(request.user)
    logout(request)
    return render(request, "identity/account.html")


class ConsentView(toolkit.AuthorizationView):
    """/oidc/authorize. Shows and grants only what the person's roles allow."""

    template_name = "identity/authorize.html"

    def validate_authorization_request(self, request: HttpRequest) -> tuple[list[str], dict[str, Any]]:
        scopes, credentials = super().validate_authorization_request(request)
        if isinstance(request.user, User):
            scopes = grantable(scopes, request.user.roles)
        return scopes, credentials


def throttled(view: View) -> View:
    """An endpoint where clients show secrets: wrong ones are counted by address, a client's own name being public."""

    def with_count(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            attempt = begin_attempt(account="", address=_address(request))
        except RateLimitedError as error:
            refusal = {"error": "temporarily_unavailable", "error_description": error.detail}
            return JsonResponse(refusal, status=429, headers=problem_headers(error))
        response = view(request, *args, **kwargs)
        if not _was_a_guess(response):
            attempt.forgiven()
        return response

    return cast(View, csrf_exempt(with_count))


def _was_a_guess(response: HttpResponseBase) -> bool:
    if response.status_code != 400:
        return response.status_code in (401, 403)
    return any(error in getattr(response, "content", b"") for error in (b'"invalid_client"', b'"invalid_grant"'))


def _address(request: HttpRequest) -> str:
    peer, forwarded = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", "")
    return limited_address(client_address(peer, forwarded, settings.TRUSTED_PROXIES))


class TokenView(toolkit.TokenView):
    """/oidc/token, for what discovery offers; the toolkit knows more grants, and stumbles over some."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.POST.get("grant_type") not in GRANT_TYPES:
            refusal = {"error": "unsupported_grant_type", "error_description": f"Use {' or '.join(GRANT_TYPES)}."}
            return JsonResponse(refusal, status=400, headers={"Cache-Control": "no-store"})
        return cast(HttpResponse, super().post(request, *args, **kwargs))


class IntrospectView(toolkit.IntrospectTokenView):
    """/oidc/introspect (RFC 7662), for confidential clients and holders of the scope `introspection`."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        token = request.POST.get("token")
        if not token:
            error = {"error": "invalid_request", "error_description": "The parameter `token` is missing."}
            return JsonResponse(error, status=400, headers={"Cache-Control": "no-store"})
        scheme, _, bearer = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        told = describe_to(verify(bearer.strip()), token) if scheme.lower() == "bearer" else describe(token)
        return JsonResponse(told, headers={"Cache-Control": "no-store"})
