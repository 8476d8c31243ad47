"""`manage.py import_graph --tenant demo graph.jsonl`: a file into a tenant's graph."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.graph.transfer.choice import FORMATS, format_for
from apps.graph.transfer.importing import import_graph
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

REPORT_EVERY_S = 2.0


class Command(BaseCommand):
    help = "Import a file (CSV: a directory) into a tenant's graph. Run it again when it was interrupted: it goes on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="NAME.jsonl, NAME.cypher, or a directory of CSV files.")
        parser.add_argument("--tenant", default="demo", help="The tenant's slug.")
        parser.add_argument("--format", default="", choices=["", *FORMATS], help="By default, by the path's ending.")
        parser.add_argument("--progress-file", type=Path, help="Where to keep how far it came; default: beside PATH.")

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_by_slug(options["tenant"])
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        said_at = time.monotonic()

        def report(done: int, total: int) -> None:
            nonlocal said_at
            if time.monotonic() - said_at > REPORT_EVERY_S:
                said_at = time.monotonic()
                self.stdout.write(f"{done / total:.0%} ...")

        try:
            loaded = import_graph(
                tenant.id,
                options["path"],
                format_for(options["path"], options["format"]),
                report,
                progress_file=options["progress_file"],
            )
        except PlatformError as error:
            raise CommandError(f"{error.detail} ({error.code})") from error
        self.stdout.write(
            f"Made {loaded.nodes_created} nodes and {loaded.relationships_created} relationships, changed "
            f"{loaded.nodes_changed + loaded.relationships_changed}, found {loaded.unchanged} there already."
        )
