"""`manage.py sync_tools`: what the code declares, into the registry."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.tools.syncing import sync


class Command(BaseCommand):
    help = "Copy every tool's declaration into tool_manifests. What administrators set stays. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--approve",
            action="store_true",
            help="Vouch for new and changed tools; otherwise they are off until approved in the administration.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        done = sync(approve=options["approve"], by="sync_tools")
        waits = "" if options["approve"] else " They are off until an administrator approves them."
        for what, names in (("New", done.added), ("Changed", done.changed)):
            if names:
                self.stdout.write(f"{what}: {', '.join(names)}.{waits}")
        if done.gone:
            self.stdout.write(f"No longer declared: {', '.join(done.gone)}.")
        if not (done.added or done.changed or done.gone):
            self.stdout.write("The registry is up to date.")
