"""Reading accounts."""

from uuid import UUID

from apps.identity.models import User


def username_of(sub: str) -> str | None:
    """The user name behind a token's `sub`; None for one that is no account here."""
    try:
        user_id = UUID(sub)
    except ValueError:
        return None
    return User.objects.filter(id=user_id).values_list("username", flat=True).first()


def user_by_name(username: str) -> User | None:
    return User.objects.filter(username=username).first()
