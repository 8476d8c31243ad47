"""Plain pages for people: refused, signed out, not found. No frame around them, so they need no rights."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.backoffice.rights import RIGHTS
from kernel.errors import PlatformError


def _notice(request: HttpRequest, status: int, title: str, *sentences: str, **context: object) -> HttpResponse:
    return render(request, "backoffice/notice.html", {"title": title, "sentences": sentences, **context}, status=status)


def not_staff(request: HttpRequest) -> HttpResponse:
    """Signed in, with no role that opens a page here."""
    return _notice(
        request,
        403,
        "These pages are not open to you",
        f"You are signed in, but they need one of the roles {', '.join(RIGHTS)}.",
        "Ask an administrator of your tenant, or sign out and come back as somebody else.",
        may_sign_out=True,
    )


def sign_in_failed(request: HttpRequest) -> HttpResponse:
    """The issuer, or we, did not accept the person."""
    return _notice(
        request,
        403,
        "You could not be signed in",
        "The sign-in was broken off or took too long, or the account is disabled or has no active tenant.",
        may_sign_in=True,
    )


def issuer_away(request: HttpRequest) -> HttpResponse:
    """The issuer did not answer, or not as it should."""
    return _notice(
        request,
        503,
        "Nobody can be signed in right now",
        "The issuer does not answer as expected. Try again in a minute.",
        may_sign_in=True,
    )


def signed_out(request: HttpRequest) -> HttpResponse:
    return _notice(request, 200, "You are signed out", "Here and at the issuer.", may_sign_in=True)


def problem(request: HttpRequest, error: PlatformError) -> HttpResponse:
    """An error of the platform as a page."""
    title = {403: "This is not open to you", 404: "There is nothing here"}.get(error.http_status, error.title)
    sentences = {
        403: "Your role has no right to this.",
        404: "It does not exist, or it belongs to another tenant.",
    }
    return _notice(request, error.http_status, title, sentences.get(error.http_status, error.detail), may_go_back=True)
