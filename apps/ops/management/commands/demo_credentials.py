"""`manage.py demo_credentials`: the demo users' names and passwords, one pair a line."""

from typing import Any

from django.core.management.base import BaseCommand

from apps.ops import demo


class Command(BaseCommand):
    help = "Print the demo users as `USERNAME PASSWORD` lines."

    def handle(self, *args: Any, **options: Any) -> None:
        for slug in demo.TENANTS:
            for role in demo.ROLES:
                username = demo.username(role, slug)
                self.stdout.write(f"{username} {demo.password(username)}")
