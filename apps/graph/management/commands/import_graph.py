"""`manage.py import_graph --tenant demo graph.jsonl`: a file into a tenant's graph."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from apps.graph.management.transfers import Report, TransferCommand
from apps.graph.transfer.formats import Format
from apps.graph.transfer.importing import import_graph
from apps.tenancy.models import Tenant


class Command(TransferCommand):
    help = "Import a file (CSV: a directory) into a tenant's graph. Run it again when it was interrupted: it goes on."
    path_help = "NAME.jsonl, NAME.cypher, or a directory of CSV files."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--progress-file", type=Path, help="Where to keep how far it came; default: beside PATH.")

    def transfer(self, tenant: Tenant, path: Path, format_: Format, report: Report, options: dict[str, Any]) -> str:
        loaded = import_graph(tenant.id, path, format_, report, progress_file=options["progress_file"])
        return (
            f"Made {loaded.nodes_created} nodes and {loaded.relationships_created} relationships, changed "
            f"{loaded.nodes_changed + loaded.relationships_changed}, found {loaded.unchanged} there already."
        )
