"""Who a session speaks for, asked anew at every request: account, roles and tenant may have changed since the last."""

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, get_user
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from apps.backoffice.rights import Staff
from apps.identity.models import User
from apps.identity.rbac import ROLES
from apps.tenancy.resolver import tenant_config
from kernel.clock import now

BACKEND = "apps.backoffice.oidc.AdminBackend"
SUB_KEY, UNTIL_KEY = "admin_sub", "admin_until"


def begin(request: HttpRequest, *, sub: str) -> None:
    """Remember, in the session of somebody who just signed in, under which name and until when."""
    request.session[SUB_KEY] = sub
    request.session[UNTIL_KEY] = now().timestamp() + settings.ADMIN_SESSION_S
    request.session.set_expiry(settings.ADMIN_SESSION_S)


def identify(request: HttpRequest) -> None:
    """Set ``request.user`` and ``request.staff`` (None: nobody). A session that stands no longer is deleted."""
    request.user = AnonymousUser()
    request.staff = None  # type: ignore[attr-defined]
    if request.session.get(BACKEND_SESSION_KEY) is None:
        return
    staff, user = _look(request)
    if staff is None or user is None:
        request.session.flush()
        return
    request.user = user
    request.staff = staff  # type: ignore[attr-defined]


def _look(request: HttpRequest) -> tuple[Staff | None, User | None]:
    session = request.session
    if session[BACKEND_SESSION_KEY] != BACKEND:  # a session of the issuer's own pages
        return None, None
    if session.get(UNTIL_KEY, 0) <= now().timestamp():
        return None, None
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active or user.tenant_id is None:
        return None, None
    tenant = tenant_config(user.tenant_id)
    if tenant is None or not tenant.is_active:
        return None, None
    if tenant.slug in settings.OIDC_TENANT_ISSUERS:  # whose people another issuer speaks for than the platform's
        return None, None
    roles = frozenset(user.roles) & ROLES
    staff = Staff(
        sub=session[SUB_KEY],
        user_id=user.pk,
        tenant_id=user.tenant_id,
        tenant_slug=tenant.slug,
        roles=roles,
        is_platform="admin" in roles and tenant.slug == settings.PLATFORM_TENANT,
    )
    return staff, user
