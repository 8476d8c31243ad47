"""Which database role a model is used through (docs/adr/0003). Migrations run as the owner."""

from typing import Any

ISSUER_APPS = frozenset({"auth", "contenttypes", "sessions", "admin", "oauth2_provider", "identity"})


class RoleRouter:
    """Accounts and OAuth rows go through cineca_issuer, everything else through cineca_app."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "issuer" if model._meta.app_label in ISSUER_APPS else "default"

    db_for_write = db_for_read

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return (first._meta.app_label in ISSUER_APPS) == (second._meta.app_label in ISSUER_APPS)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"
