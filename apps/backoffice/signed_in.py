"""Who is signed in: browsers here and at the built-in issuer, and programs that hold tokens of theirs."""

from collections import Counter
from collections.abc import Iterable
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from apps.backoffice import account_acts
from apps.backoffice.browser_sessions import browser_sessions
from apps.backoffice.rights import SIGNED_IN, Staff, require
from apps.backoffice.site import site
from apps.identity.models import User
from apps.identity.standing import slug_of
from kernel.clock import now

SHOWN = 500


@site.page("signed-in/", name="signed_in_people")
def signed_in(request: HttpRequest) -> HttpResponseBase:
    """One line a person, with a button that ends all of it."""
    staff = require(request, SIGNED_IN)
    browsers = Counter((session.user_id, session.place) for session in browser_sessions())
    tokens = Counter(dict(get_access_token_model().objects.filter(expires__gt=now()).order_by().values_list(
        "user_id").annotate(n=Count("*"))))  # fmt: skip
    renewals = Counter(dict(get_refresh_token_model().objects.filter(revoked__isnull=True).order_by().values_list(
        "user_id").annotate(n=Count("*"))))  # fmt: skip
    people = {user_id for user_id, _ in browsers} | set(tokens) | set(renewals)
    rows = [
        (
            {"text": user.username, "href": f"/admin/identity/user/{user.pk}/change/"},
            ", ".join(user.roles),
            (slug_of(user.tenant_id) if user.tenant_id else None) or "none",
            browsers[user.pk, "admin"],
            browsers[user.pk, "issuer"],
            tokens[user.pk],
            renewals[user.pk],
            {"text": "Sign out everywhere", "act_at": f"/admin/signed-in/{user.pk}/end"},
        )
        for user in _visible(staff, people)
    ]
    heads = ("Person", "Roles", "Tenant", "Here", "At the issuer", "Access tokens", "Refresh tokens", "")
    return site.show(
        request,
        "table.html",
        "Signed in",
        tables=[("", heads, rows)],
        intro="Tokens of an external issuer, and those made by `manage.py token`, are not listed: nobody keeps them.",
    )


@site.page("signed-in/<uuid:user_id>/end", name="signed_in_end")
def end(request: HttpRequest, user_id: UUID) -> HttpResponseBase:
    """Sign one person out of everything."""
    staff = require(request, SIGNED_IN)
    if request.method != "POST":
        raise Http404
    user = account_acts.visible_account(staff, user_id)
    account_acts.sign_out(staff, user)
    if user.pk != staff.user_id:
        messages.success(request, f"{user.username} is signed out everywhere.")
    return HttpResponseRedirect("/admin/signed-in/")


def _visible(staff: Staff, ids: Iterable[UUID]) -> list[User]:
    users = User.objects.filter(pk__in=list(ids)).order_by("username")
    return list((users if staff.is_platform else users.filter(tenant_id=staff.tenant_id))[:SHOWN])
