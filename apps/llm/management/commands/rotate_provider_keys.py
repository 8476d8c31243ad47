"""`manage.py rotate_provider_keys`: every provider's key under the first encryption key, so that old ones can go."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.llm.registry.key_rotation import rotate_all


class Command(BaseCommand):
    help = "Encrypt all providers' keys anew with the first of AGENTIC_LLM_ENCRYPTION_KEYS. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        done = rotate_all()
        self.stdout.write(f"{done.rotated} keys are encrypted with the first key.")
        if done.unreadable:
            listed = ", ".join(str(provider_id) for provider_id in done.unreadable)
            raise CommandError(
                f"{len(done.unreadable)} keys cannot be decrypted: of the providers {listed}. Add the encryption key "
                "they were made with, or enter them anew.",
                returncode=1,
            )
