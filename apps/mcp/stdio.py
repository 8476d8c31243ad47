"""The same server over standard input and output, in the name of one token, for clients that start a program."""

import asyncio
import hashlib
from functools import partial

from django.conf import settings
from django.utils.module_loading import import_string
from mcp.server.stdio import stdio_server

from apps.mcp.server import build
from apps.mcp.visits import Passage, Visit, visit


def serve(token: str, *, underscores: bool = False) -> None:
    """Until standard input ends. UnauthenticatedError, ForbiddenError or RateLimitedError for a token that is not let
    in now; one that is refused later gets errors of the protocol."""
    passage: Passage = import_string(settings.MCP_STDIO_PASSAGE)()
    passage.admit(token)
    mark = hashlib.sha256(token.encode()).hexdigest()
    with visit(Visit(passage, mark, underscores, again=partial(passage.admit, token))):
        asyncio.run(_converse())


async def _converse() -> None:
    server = build()
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
