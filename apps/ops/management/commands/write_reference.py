"""`manage.py write_reference`: make docs/reference/*.md anew."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.ops.reference import PAGES


class Command(BaseCommand):
    help = "Write docs/reference/*.md from the code."

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.BASE_DIR / "docs" / "reference"
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in PAGES.items():
            (folder / name).write_text(page())
            self.stdout.write(f"docs/reference/{name}")
