"""Connections to the outside are made in one place, which checks where they go (R32, docs/adr/0013)."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.source import modules

SPEAK_HTTP = {
    "aiohttp", "ftplib", "http.client", "httpcore", "httpcore2", "httpx", "niquests", "pycurl", "requests", "smtplib",
    "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc.client",
}  # fmt: skip
# Names of httpx2 that carry something out; its exceptions, URL and Headers may be used by whoever reads an answer.
SEND = {
    "AsyncClient", "AsyncHTTPTransport", "Client", "HTTPTransport", "delete", "get", "head", "options", "patch", "post",
    "put", "request", "stream",
}  # fmt: skip
CONNECT = {"create_connection", "open_connection"}
WAY_OUT = "apps/llm/net/"
# Where these go is said by the operator in a setting, never by a request or a row.
OPERATORS_OWN = {
    "apps/identity/jwks.py": "the issuer of the tokens",
    "apps/backoffice/oidc.py": "the issuer of the sign-in; its package speaks requests",
    "apps/backoffice/sign_in.py": "catches what that package raises",
    "platform/kernel/postgres/base.py": "whether a database answers at its address",
}


def imported(tree: ast.Module) -> Iterator[str]:
    """Every module that is imported, and every name from one: ``a.b`` of ``from a import b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def annotations(tree: ast.Module) -> Iterator[ast.expr]:
    """Types of parameters, variables and results: to name a client is not to make one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
            yield node.returns


def ways_out(tree: ast.Module) -> set[str]:
    """What in a module could open a connection."""
    found = {
        name
        for name in imported(tree)
        if any(name == library or name.startswith(f"{library}.") for library in SPEAK_HTTP)
        or (name.startswith("httpx2.") and name.split(".")[1] in SEND)
        or name.rpartition(".")[2] in CONNECT
    }
    aliases = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    as_types = {id(part) for annotation in annotations(tree) for part in ast.walk(annotation)}
    for node in ast.walk(tree):
        if id(node) not in as_types and isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = aliases.get(node.value.id)
            if (module == "httpx2" and node.attr in SEND) or (module in ("socket", "asyncio") and node.attr in CONNECT):
                found.add(f"{module}.{node.attr}")
    return found


@pytest.mark.requirement("llm:one-way-out")
def test_connections_to_the_outside_are_made_in_one_place() -> None:
    strays = {
        name: out
        for name, tree in modules().items()
        if not name.startswith((WAY_OUT, "platform/devkit/")) and name not in OPERATORS_OWN and (out := ways_out(tree))
    }

    assert not strays, "providers are called with apps.llm.net.client.ProviderClient"


@pytest.mark.requirement("llm:one-way-out")
def test_who_may_besides_still_does() -> None:
    idle = [name for name in OPERATORS_OWN if not ways_out(modules()[name])]

    assert not idle


@pytest.mark.parametrize(
    "code",
    [
        "import requests", "from urllib import request", "import urllib.request as r",
        "import httpx2\na = httpx2.Client", "from urllib.request import urlopen",
        "import httpx2\nclass A(httpx2.HTTPTransport): ...",
        "import httpx2 as h\nh.Client()", "from httpx2 import Client", "import httpx2\nhttpx2.get('x')",
        "from http import client", "from socket import create_connection", "import socket\nsocket.create_connection(1)",
        "import asyncio\nasyncio.open_connection('x')", "import httpcore2",
    ],
)  # fmt: skip
def test_it_is_seen_however_it_is_written(code: str) -> None:
    assert ways_out(ast.parse(code))


def test_a_client_may_be_handed_on() -> None:
    assert not ways_out(ast.parse("import httpx2\ndef f(client: httpx2.Client) -> httpx2.Client: return client"))
