"""`manage.py create_tenant SLUG NAME`: a tenant from the command line, the first one in production above all."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.tenancy.onboarding import onboard
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError


class Command(BaseCommand):
    help = "Create a tenant; with --admin also its first administrator's account, whose password is printed once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="Short name: lower-case letters, digits and hyphens. Cannot be changed.")
        parser.add_argument("name", help="The name people read.")
        parser.add_argument("--admin", metavar="EMAIL", help="Make this person the tenant's first administrator.")
        parser.add_argument("--if-missing", action="store_true", help="Do nothing when the tenant is there already.")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, email = options["slug"], options["admin"]
        if options["if_missing"] and tenant_by_slug(slug) is not None:
            self.stdout.write(f"Tenant {slug} is there already.")
            return
        try:
            tenant, admin = onboard(
                name=options["name"],
                slug=slug,
                admin_email=email or "",
                metadata={},
                tenant_settings={},
                admin={"email": email, "username": email} if email else None,
                by=None,
            )
        except PlatformError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(f"Tenant {tenant.slug} has id {tenant.id}.")
        if admin is not None:
            self.stdout.write(f"{admin.username} may sign in with password {admin.password}. It is not shown again.")
