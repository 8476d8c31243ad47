"""`manage.py export_graph --tenant demo graph.jsonl`: a tenant's graph into a file."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.graph.transfer.choice import FORMATS, format_for
from apps.graph.transfer.exporting import export_graph
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

REPORT_EVERY_S = 2.0


class Command(BaseCommand):
    help = "Write a tenant's graph to a file (CSV: a directory). Run it again when it was interrupted: it goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="NAME.jsonl, NAME.cypher, or a new directory for CSV.")
        parser.add_argument("--tenant", default="demo", help="The tenant's slug.")
        parser.add_argument("--format", default="", choices=["", *FORMATS], help="By default, by the path's ending.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_by_slug(options["tenant"])
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        said_at = time.monotonic()

        def report(done: int, total: int) -> None:
            nonlocal said_at
            if time.monotonic() - said_at > REPORT_EVERY_S:
                said_at = time.monotonic()
                self.stdout.write(f"{done} of {total} records ...")

        try:
            done = export_graph(tenant.id, options["path"], format_for(options["path"], options["format"]), report)
        except PlatformError as error:
            raise CommandError(f"{error.detail} ({error.code})") from error
        self.stdout.write(f"{done} records of {tenant.slug} are in {options['path']}.")
