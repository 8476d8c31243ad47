"""manage.py verify_audit: proves the hash chains of the audit log; exit code 1 names the first broken link."""

import json
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from apps.audit import selectors
from apps.audit.models import PLATFORM_CHAIN
from apps.audit.verification import Report, verify_chain

PLATFORM = "platform"


class Command(BaseCommand):
    help = "Recompute the hash chains of the audit log and compare them with their heads."

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--tenant", help="One chain: a tenant's short name or id, or `platform`.")
        which.add_argument("--all", action="store_true", help="Every chain (the default).")
        parser.add_argument("--from-seq", type=int, default=1, help="Begin here, where older months were taken away.")
        parser.add_argument("--json", action="store_true", help="One JSON object a line and chain.")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = [_chain_id(options["tenant"])] if options["tenant"] else selectors.chains()
        broken = 0
        for chain_id in wanted:
            report = verify_chain(chain_id, from_seq=options["from_seq"])
            broken += not report.ok
            self.stdout.write(json.dumps(report.as_json()) if options["json"] else _sentence(report))
        if broken:
            raise CommandError(f"{broken} of {len(wanted)} chains are broken.", returncode=1)


def _chain_id(wanted: str) -> UUID:
    if wanted == PLATFORM:
        return PLATFORM_CHAIN
    found = selectors.tenant_id_by_slug(wanted)
    if found is not None:
        return found
    try:
        return UUID(wanted)
    except ValueError as error:
        raise CommandError(f"There is no tenant {wanted!r}.", returncode=2) from error


def _sentence(report: Report) -> str:
    name = PLATFORM if report.tenant_id == PLATFORM_CHAIN else str(report.tenant_id)
    fault = report.first_broken
    if fault is None:
        return f"{name}: ok, {report.checked} rows, head {report.head_seq} {report.head_hash}"
    shown = fault.as_json()
    return (
        f"{name}: BROKEN at row {fault.seq} (id {fault.id}, created_at {shown['created_at']}): {fault.fault}. "
        f"{fault.detail} {report.checked} rows before it hold."
    )
