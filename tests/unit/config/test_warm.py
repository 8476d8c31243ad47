"""What a process makes ready once it is up."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from apps.tools import spec
from apps.tools.spec import Declared
from config import asgi, warm


@pytest.mark.requirement("tools:registry")
def test_tools_are_declared_beside_a_server_that_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    tools, begin = Declared(), warm.begin
    tools.filled_by(lambda: happened.append("declared"))
    monkeypatch.setattr(spec, "DECLARED", tools)
    monkeypatch.setattr(warm, "begin", lambda: begin().join())

    async def send(message: Mapping[str, Any]) -> None:
        happened.append(message["type"])

    async def receive() -> Mapping[str, Any]:
        return {}

    asyncio.run(asgi.application({"type": "lifespan"}, receive, send))

    assert happened == ["lifespan.startup.complete", "declared", "lifespan.shutdown.complete"]
