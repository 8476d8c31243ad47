"""Reading accounts."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from apps.identity.models import User


def username_of(sub: str) -> str | None:
    """The user name behind a token's `sub`; None for one that is no account here."""
    try:
        user_id = UUID(sub)
    except ValueError:
        return None
    return User.objects.filter(id=user_id).values_list("username", flat=True).first()


def usernames_of(subs: Iterable[str]) -> dict[str, str]:
    """The user names behind subjects, asked for in one go; a subject that is no account here stands for itself."""
    subjects, accounts = set(subs), {}
    for sub in subjects:
        with suppress(ValueError):
            accounts[sub] = UUID(sub)
    known = dict(User.objects.filter(id__in=accounts.values()).values_list("id", "username"))
    return {sub: known.get(accounts[sub], sub) if sub in accounts else sub for sub in subjects}


def roles_in(tenant_id: UUID, sub: str) -> frozenset[str]:
    """The roles of a tenant's account; none for an account of another tenant, and for a caller that has none here."""
    try:
        user_id = UUID(sub)
    except ValueError:
        return frozenset()
    found = User.objects.filter(id=user_id, tenant_id=tenant_id).values_list("roles", flat=True).first()
    return frozenset(found or ())


def user_by_name(username: str) -> User | None:
    return User.objects.filter(username=username).first()


def subjects_named(said: str) -> list[str]:
    """Whom a person may mean: the subject of this very text, and the account of this user name."""
    account = user_by_name(said)
    return [said] if account is None else [said, str(account.id)]


def accounts_of(tenant_id: UUID) -> list[dict[str, Any]]:
    """Every account of a tenant, without its password: what an export shows of people."""
    users = User.objects.filter(tenant_id=tenant_id).order_by("username")
    return [
        {
            "id": str(user.id),
            "username": user.username,
            "email": user.email,
            "roles": sorted(user.roles),
            "is_active": user.is_active,
            "date_joined": user.date_joined.isoformat(),
        }
        for user in users.iterator()
    ]
