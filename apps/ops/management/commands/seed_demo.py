"""`manage.py seed_demo`: two tenants, a user per role in each, two OAuth clients. Safe to repeat."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.identity.selectors import user_by_name
from apps.identity.services import ensure_application, ensure_user
from apps.ops import demo
from apps.tenancy.selectors import tenant_by_slug
from apps.tenancy.services import create_tenant


class Command(BaseCommand):
    help = "Create the demo tenants, users and OAuth clients. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT == "prod":
            raise CommandError("Demo accounts are refused in production (AGENTIC_ENV=prod).")
        # All passwords come from one key: if the first fits, the others do.
        known = False
        for slug, name in demo.TENANTS.items():
            tenant = tenant_by_slug(slug) or create_tenant(slug, name, admin_email=demo.username("admin", slug))
            for role in demo.ROLES:
                username = demo.username(role, slug)
                secret = demo.password(username)
                user = user_by_name(username)
                known = known or (user is not None and user.check_password(secret))
                ensure_user(
                    username=username,
                    password=secret,
                    tenant_id=tenant.id,
                    roles=[role],
                    trust_password=known and user is not None,
                )
        ensure_application(
            client_id=demo.CLI_CLIENT_ID,
            name="CINECA CLI",
            redirect_uris=[demo.CLI_REDIRECT_URI],
            secret=None,
        )
        ensure_application(
            client_id=demo.FLOWER_CLIENT_ID,
            name="Flower",
            redirect_uris=[demo.FLOWER_REDIRECT_URI],
            secret=demo.password(demo.FLOWER_CLIENT_ID),
        )
        self.stdout.write(f"Demo data ready: tenants {', '.join(demo.TENANTS)}; roles {', '.join(demo.ROLES)}.")
