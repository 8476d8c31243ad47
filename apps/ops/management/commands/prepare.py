"""`manage.py prepare`: bring the database up to date as its owner, make the issuer's key, seed the demo data."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.agents.definitions.first_agent import ensure_default_agent
from apps.identity.issuer import keyring
from apps.ops import demo
from apps.ops.admin_client import ensure_admin_client
from apps.ops.first_model import ensure_first_model
from apps.tools.syncing import sync_first


class Command(BaseCommand):
    help = "Migrate as the owner, make the issuer's first key and seed the demo data. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--graph-wait-s", type=float, default=0.0, help="How long to wait for a graph that is starting."
        )
        parser.add_argument(
            "--graph-users",
            type=int,
            default=0,
            help="Seed the first demo tenant's graph with this many users, the other with few.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if "owner" not in settings.DATABASES:
            raise CommandError("Set AGENTIC_DATABASE_OWNER_URL: migrations run as the owner of the tables.")
        call_command("migrate", database="owner", interactive=False, verbosity=0)
        self.stdout.write("Database is up to date.")
        self.stdout.write(f"Issuer signs with key {keyring().signing_key().kid}.")
        if not settings.OIDC_ISSUER:
            ensure_admin_client()
        if ensure_first_model():
            self.stdout.write("Language models: the demo model answers until there is another.")
        if ensure_default_agent():
            self.stdout.write("Agents: `default` answers runs that name no agent.")
        synced = sync_first(by="prepare")
        if synced.waiting:
            self.stdout.write(f"Tools that wait for an administrator's approval: {', '.join(synced.waiting)}.")
        is_laid = self._lay_graph(options["graph_wait_s"])
        if settings.ENVIRONMENT == "prod":
            slug = settings.PLATFORM_TENANT
            call_command("create_tenant", slug, slug, if_missing=True, stdout=self.stdout)
            self.stdout.write("Production: no demo data.")
        else:
            call_command("seed_demo", stdout=self.stdout)
            if is_laid and options["graph_users"]:
                for slug in demo.TENANTS:
                    users = options["graph_users"] // (1 if slug == settings.PLATFORM_TENANT else 8) or 1
                    call_command("seed_graph", tenant=slug, users=users, stdout=self.stdout)

    def _lay_graph(self, wait_s: float) -> bool:
        """The platform works without the graph: what keeps it from being laid is only said."""
        try:
            call_command("lay_graph", wait_s=wait_s, stdout=self.stdout)
            return True
        except CommandError as error:
            self.stdout.write(f"Graph is not laid: {error} Run `manage.py lay_graph` when that is mended.")
            return False
