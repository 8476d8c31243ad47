"""`manage.py mcp_stdio`: the Model Context Protocol over standard input and output (docs/mcp.md)."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.mcp.stdio import serve
from kernel.errors import PlatformError


class Command(BaseCommand):
    help = "Serve MCP over standard input and output, in the name of the bearer token in an environment variable."
    requires_system_checks = []  # they may print; standard output is the protocol's

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--token-env", default="CINECA_TOKEN", help="The variable that holds the token.")
        parser.add_argument(
            "--underscores",
            action="store_true",
            help="Name tools graph_query instead of graph.query, for such clients.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["token_env"]
        token = os.environ.get(name, "")
        if not token:
            raise CommandError(f"Put a bearer token of yours into the environment variable {name}.")
        try:
            serve(token, underscores=options["underscores"])
        except PlatformError as error:
            raise CommandError(f"The token in {name} was not let in: {error.detail}") from error
