"""`manage.py rotate_issuer_key`: a new key signs from now on; the old ones stay published until pruned."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.identity.issuer import keyring
from apps.identity.keyring import KeyringError


class Command(BaseCommand):
    help = "Make a new signing key for the built-in issuer. Running processes pick it up at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--prune-older-than",
            type=int,
            metavar="DAYS",
            help="Also delete keys made more than DAYS days ago; their tokens are refused from then on.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["prune_older_than"]
        if days is not None and days < 1:
            raise CommandError("--prune-older-than must be 1 or more: tokens of younger keys are still in use.")
        try:
            self.stdout.write(f"New signing key {keyring().rotate().kid}.")
            if days is not None:
                pruned = keyring().prune(timedelta(days=days))
                self.stdout.write(f"Pruned {', '.join(pruned) or 'none'}.")
        except KeyringError as error:
            raise CommandError(str(error)) from error
