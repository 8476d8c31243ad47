"""`manage.py seed_graph --tenant demo --users 40`: believable data in a tenant's graph."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.graph.loading import Loaded
from apps.graph.seeding.generator import DEFAULT_SEED
from apps.graph.seeding.sowing import sow
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

REPORT_EVERY_S = 2.0


class Command(BaseCommand):
    help = "Put a believable graph of this many users into a tenant. The same numbers again change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default="demo", help="The tenant's slug.")
        parser.add_argument("--users", type=int, required=True, help="How many users; about 35 nodes come with each.")
        parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="Another seed, other data.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_by_slug(options["tenant"])
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        if options["users"] < 1:
            raise CommandError("At least one user.")
        began = time.monotonic()
        said_at = began

        def report(done: Loaded) -> None:
            nonlocal said_at
            if time.monotonic() - said_at > REPORT_EVERY_S:
                said_at = time.monotonic()
                self.stdout.write(f"{done.nodes_created + done.relationships_created + done.unchanged} records ...")

        try:
            loaded = sow(tenant.id, users=options["users"], seed=options["seed"], report=report)
        except PlatformError as error:
            raise CommandError(f"{error.detail} ({error.code})") from error
        self.stdout.write(
            f"Graph of {tenant.slug}: {loaded.nodes_created} nodes and {loaded.relationships_created} relationships "
            f"made, {loaded.unchanged} were there ({time.monotonic() - began:.1f} s)."
        )
