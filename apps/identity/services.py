"""Writing accounts and OAuth applications of the built-in issuer."""

import secrets
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.contrib.sessions.models import Session
from django.db import IntegrityError, router, transaction
from oauth2_provider.models import (
    clear_expired,
    get_access_token_model,
    get_application_model,
    get_refresh_token_model,
)

from apps.identity.models import RevokedToken, SignInAttempt, User
from apps.identity.rbac import ROLES
from kernel.clock import now
from kernel.errors import ConflictError, ValidationError


def ensure_user(
    *, username: str, password: str, tenant_id: UUID, roles: list[str], trust_password: bool = False
) -> User:
    """The account of that name as described: made if missing, corrected if different. Safe to repeat.

    ``trust_password`` leaves an existing password unchecked: the check is slow on purpose.
    """
    unknown = sorted(set(roles) - ROLES)
    if unknown:
        raise ValidationError(f"Unknown role {', '.join(unknown)}: say one of {', '.join(sorted(ROLES))}.")
    user = User.objects.filter(username=username).first() or User(username=username)
    user.email, user.tenant_id, user.roles, user.is_active = username, tenant_id, sorted(roles), True
    if not user.password or not (trust_password or user.check_password(password)):
        user.set_password(password)
    user.save()
    return user


def set_user_active(user_id: UUID, *, is_active: bool) -> bool:
    """Enable or disable an account; its tokens are refused within five seconds. False when there is none."""
    return bool(User.objects.filter(id=user_id).update(is_active=is_active))


def sign_out_everywhere(user: User) -> None:
    """Take back every access and refresh token of this person; a trigger remembers the former as revoked."""
    with transaction.atomic(using=router.db_for_write(User)):
        get_access_token_model().objects.filter(user=user).delete()
        get_refresh_token_model().objects.filter(user=user).delete()


def create_account(*, username: str, email: str, tenant_id: UUID, roles: list[str]) -> tuple[User, str]:
    """A new account with a password made here, which is returned once and kept as a hash only. ConflictError when the
    name is taken."""
    password = secrets.token_urlsafe(18)
    user = User(username=username, email=email, tenant_id=tenant_id, roles=sorted(roles))
    user.set_password(password)
    try:
        with transaction.atomic(using=router.db_for_write(User)):
            user.save(force_insert=True)
    except IntegrityError as error:
        raise ConflictError(f"There is an account {username!r} already.", code="account_exists") from error
    return user, password


def erase_accounts(tenant_id: UUID) -> int:
    """Delete a tenant's accounts with their tokens and grants; a trigger remembers what was still valid as revoked.
    Returns how many accounts went. Safe to repeat."""
    with transaction.atomic(using=router.db_for_write(User)):
        users = User.objects.filter(tenant_id=tenant_id)
        for user in users:
            sign_out_everywhere(user)
        gone = users.count()
        users.delete()
    return gone


def ensure_application(
    *, client_id: str, name: str, redirect_uris: list[str], secret: str | None, trusted: bool = False
) -> None:
    """An OAuth client for sign-in by code with PKCE: confidential with a secret, public without. Safe to repeat.

    Nobody is asked for consent to a ``trusted`` one, which is a part of the platform.
    """
    model = get_application_model()
    application = model.objects.filter(client_id=client_id).first() or model(client_id=client_id)
    application.name = name
    application.redirect_uris = " ".join(redirect_uris)
    application.client_type = model.CLIENT_CONFIDENTIAL if secret else model.CLIENT_PUBLIC
    application.authorization_grant_type = model.GRANT_AUTHORIZATION_CODE
    application.algorithm = model.RS256_ALGORITHM
    application.skip_authorization = trusted
    if secret and not check_password(secret, application.client_secret):
        application.client_secret = secret
    application.save()


def purge_expired_tokens() -> int:
    """Delete what can no longer be used: revocations of expired tokens, old grants, tokens, sessions, failed sign-ins.

    Safe at any time; meant to run once an hour. Returns how many revocations went.
    """
    purged, _ = RevokedToken.objects.filter(expires_at__lt=now() - timedelta(minutes=5)).delete()
    SignInAttempt.objects.filter(attempted_at__lt=now() - timedelta(seconds=settings.SIGN_IN_WINDOW_S)).delete()
    clear_expired()
    Session.objects.filter(expire_date__lt=now()).delete()
    return purged
