"""`manage.py lay_graph`: constraints and indexes in the graph, and the mark by which it is known again."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.graph import epoch, laying
from apps.graph.errors import GraphUnavailableError
from kernel.errors import PlatformError

PAUSE_S = 0.2


class Command(BaseCommand):
    help = "Make the graph's constraints and indexes, and note which graph it is. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--wait-s", type=float, default=0.0, help="How long to wait for a graph that is starting.")
        parser.add_argument(
            "--accept",
            action="store_true",
            help="Take the graph as it is, although it was emptied, exchanged or older.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        give_up_at = time.monotonic() + options["wait_s"]
        while True:
            try:
                laying.lay()
                verdict = epoch.begin(accept=options["accept"])
                break
            except GraphUnavailableError as error:
                if time.monotonic() > give_up_at:
                    raise CommandError(f"{error.detail} Is it running, and GRAPH_URL right?") from error
                time.sleep(PAUSE_S)
            except PlatformError as error:
                raise CommandError(f"{error.detail} ({error.code})") from error
        if verdict:
            raise CommandError(
                f"The graph is not what was seen last ({verdict}). If that is as it should be: lay_graph --accept."
            )
        self.stdout.write("Graph is laid.")
