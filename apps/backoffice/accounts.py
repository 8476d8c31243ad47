"""Rows of `users` behind the people who sign in here: the built-in issuer's own, or stand-ins for an external one's."""

import hashlib
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import structlog
from django.db import router, transaction
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from apps.identity.models import User
from apps.identity.rbac import ROLES
from apps.tenancy.resolver import tenant_config

log = structlog.get_logger("backoffice")
NAME_LENGTH = 150


def local_account(sub: str, *, access_token: str) -> User | None:
    """The enabled account of the built-in issuer whose tokens have this ``sub``.

    The tokens that came along are taken back: these pages keep a session and need none.
    """
    try:
        user_id = UUID(sub)
    except ValueError:
        return None
    checksum = hashlib.sha256(access_token.encode()).hexdigest()
    with transaction.atomic(using=router.db_for_write(User)):
        given = get_access_token_model().objects.filter(user_id=user_id, token_checksum=checksum)
        get_refresh_token_model().objects.filter(access_token__in=given).delete()
        given.delete()
    return User.objects.filter(pk=user_id, is_active=True).first()


def shadow_account(*, issuer: str, claims: dict[str, Any]) -> User | None:
    """The stand-in for a person of an external issuer, as its token describes it now; None when that cannot be.

    It has no password. Its id follows from issuer and subject, so nobody can get another's. One that was disabled here
    stays so.
    """
    tenant_id, roles = _tenant_id(claims.get("tenant_id")), claims.get("roles")
    if tenant_id is None or not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        log.info("admin_sign_in_refused", reason="the token names no tenant or no roles")
        return None
    config = tenant_config(tenant_id)
    if config is None or not config.is_active:
        log.info("admin_sign_in_refused", reason="no such active tenant")
        return None
    name = f"{issuer}|{claims['sub']}"
    user_id = uuid5(NAMESPACE_URL, name)
    with transaction.atomic(using=router.db_for_write(User)):
        user = User.objects.filter(pk=user_id).first()
        if user is None:
            user = User(pk=user_id)
            user.set_unusable_password()
        user.username = name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 37]}|{user_id}"
        shown = claims.get("preferred_username")
        user.first_name = shown[:NAME_LENGTH] if isinstance(shown, str) and shown.isprintable() else ""
        user.tenant_id, user.roles = tenant_id, sorted(set(roles) & ROLES)
        user.save()
    return user if user.is_active else None


def _tenant_id(value: Any) -> UUID | None:
    try:
        tenant_id = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return tenant_id if str(tenant_id) == value else None
