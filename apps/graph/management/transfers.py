"""What export_graph and import_graph have in common: a tenant, a path, a format, and what is said meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.graph.transfer.choice import FORMATS, format_for
from apps.graph.transfer.formats import Format
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

REPORT_EVERY_S = 2.0
Report = Callable[[int, int], None]


class TransferCommand(BaseCommand):
    """``transfer`` does the work and says the last sentence."""

    path_help: str

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help=self.path_help)
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
                self.stdout.write(f"{done / max(total, 1):.0%} ...")

        try:
            said = self.transfer(
                tenant, options["path"], format_for(options["path"], options["format"]), report, options
            )
        except PlatformError as error:
            raise CommandError(f"{error.detail} ({error.code})") from error
        self.stdout.write(said)

    def transfer(self, tenant: Tenant, path: Path, format_: Format, report: Report, options: dict[str, Any]) -> str:
        raise NotImplementedError
