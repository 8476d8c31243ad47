"""`manage.py export_graph --tenant demo graph.jsonl`: a tenant's graph into a file."""

from pathlib import Path
from typing import Any

from apps.graph.management.transfers import Report, TransferCommand
from apps.graph.transfer.exporting import export_graph
from apps.graph.transfer.formats import Format
from apps.tenancy.models import Tenant


class Command(TransferCommand):
    help = "Write a tenant's graph to a file (CSV: a directory). Run it again when it was interrupted: it goes on."
    path_help = "NAME.jsonl, NAME.cypher, or a new directory for CSV."

    def transfer(self, tenant: Tenant, path: Path, format_: Format, report: Report, options: dict[str, Any]) -> str:
        done = export_graph(tenant.id, path, format_, report)
        return f"{done} records of {tenant.slug} are in {path}."
