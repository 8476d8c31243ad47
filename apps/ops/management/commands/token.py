"""`manage.py token --role ROLE`: a bearer token of the built-in issuer, for curl, scripts and tests."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.identity.issuer import sign_access_token
from apps.identity.rbac import ROLES, scopes_of
from apps.identity.selectors import user_by_name
from apps.ops import demo
from apps.tenancy.selectors import tenant_by_slug, tenant_slugs

MAX_TTL_S = 86_400


class Command(BaseCommand):
    help = "Print a bearer token, and nothing else."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--role", required=True, help="One of " + ", ".join(sorted(ROLES)))
        parser.add_argument("--tenant", default="demo", metavar="SLUG", help="The tenant's short name (demo).")
        parser.add_argument("--sub", help="Whom the token is for (the tenant's demo user of that role).")
        parser.add_argument("--ttl", type=int, default=3600, metavar="SECONDS", help="How long it is valid (3600).")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.OIDC_ISSUER:
            raise CommandError(f"This platform trusts {settings.OIDC_ISSUER} (AGENTIC_OIDC_ISSUER): get a token there.")
        role, slug, ttl_s = options["role"], options["tenant"], options["ttl"]
        if role not in ROLES:
            raise CommandError(f"There is no role {role!r}. Say one of {', '.join(sorted(ROLES))}.")
        if not 1 <= ttl_s <= MAX_TTL_S:
            raise CommandError(f"--ttl must lie between 1 and {MAX_TTL_S} seconds.")
        tenant = tenant_by_slug(slug)
        if tenant is None:
            known = ", ".join(tenant_slugs()) or "none yet: run `manage.py prepare`"
            raise CommandError(f"There is no tenant {slug!r}. Tenants: {known}.")
        token = sign_access_token(
            sub=options["sub"] or self._default_sub(role, slug),
            tenant_id=tenant.id,
            roles=[role],
            scopes=sorted(scopes_of([role])),
            client_id="manage.py",
            ttl_s=ttl_s,
        )
        self.stdout.write(token)

    def _default_sub(self, role: str, slug: str) -> str:
        """The demo user's id, so that a token from here and a sign-in at /oidc are the same person."""
        user = user_by_name(demo.username(role, slug))
        return str(user.id) if user else demo.username(role, slug)
