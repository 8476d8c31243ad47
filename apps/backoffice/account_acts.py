"""Changes of accounts, each one transaction with its audit row. Passwords are made here and shown once."""

import secrets
from uuid import UUID

from django.db import router, transaction

from apps.backoffice import told
from apps.backoffice.browser_sessions import end_browser_sessions
from apps.backoffice.rights import Staff
from apps.identity import services
from apps.identity.models import User
from apps.identity.rbac import ROLES
from kernel.errors import ForbiddenError, NotFoundError, ValidationError


def visible_account(staff: Staff, user_id: UUID) -> User:
    """The account, of the person's own tenant unless it administers the platform. NotFoundError otherwise."""
    users = User.objects.filter(pk=user_id)
    user = (users if staff.is_platform else users.filter(tenant_id=staff.tenant_id)).first()
    if user is None:
        raise NotFoundError("There is no such account.")
    return user


def change_account(staff: Staff, user: User, *, roles: list[str], is_active: bool) -> bool:
    """Roles and whether it is enabled; False when nothing differs. Nobody changes the own account: one could lock
    oneself out, or let oneself in."""
    _not_oneself(staff, user)
    unknown = sorted(set(roles) - ROLES)
    if unknown:
        raise ValidationError(f"There is no role {unknown[0]!r}.")
    before = {"roles": sorted(user.roles), "is_active": user.is_active}
    after = {"roles": sorted(roles), "is_active": is_active}
    if before == after:
        return False
    with transaction.atomic(using=router.db_for_write(User)):
        User.objects.filter(pk=user.pk).update(**after)
        changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
        _record(staff, "account_changed", user, changes=changes)
    if before["roles"] != after["roles"] or not is_active:
        sign_out(staff, user)
    return True


def reset_password(staff: Staff, user: User) -> str:
    """A new password, and everybody who knew the old one is out."""
    _not_oneself(staff, user)
    password = secrets.token_urlsafe(18)
    with transaction.atomic(using=router.db_for_write(User)):
        user.set_password(password)
        user.save(update_fields=["password"])
        _record(staff, "password_reset", user)
    sign_out(staff, user)
    return password


def create_account(staff: Staff, *, username: str, email: str, roles: list[str], tenant_id: UUID) -> tuple[User, str]:
    """A new account and its first password."""
    if tenant_id != staff.tenant_id and not staff.is_platform:
        raise ForbiddenError("An account can be made in your own tenant only.")
    with transaction.atomic(using=router.db_for_write(User)):
        user, password = services.create_account(username=username, email=email, tenant_id=tenant_id, roles=roles)
        _record(staff, "account_created", user, roles=sorted(roles))
    return user, password


def sign_out(staff: Staff, user: User) -> None:
    """Take back every token and end every browser session of the account."""
    with transaction.atomic(using=router.db_for_write(User)):
        services.sign_out_everywhere(user)
        ended = end_browser_sessions(user.pk)
        _record(staff, "signed_out_everywhere", user, browser_sessions=ended)


def _not_oneself(staff: Staff, user: User) -> None:
    if user.pk == staff.user_id:
        raise ForbiddenError("This is your own account: somebody else has to change it.")


def _record(staff: Staff, action: str, user: User, **details: object) -> None:
    told.record(
        staff, action, tenant_id=user.tenant_id, resource_type="user", resource_id=user.pk,
        username=user.username, **details,
    )  # fmt: skip
