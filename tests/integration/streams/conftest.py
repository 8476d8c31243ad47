"""Stream servers beside the shared one: with shorter patience, or to be killed."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from tests.clients import Api, free_port, is_up, wait_for

_numbers = count(1)


@pytest.fixture(scope="session")
def start_web(spawn: Callable[..., Any]) -> Callable[..., tuple[Any, str]]:
    """Start an API server of the test's own: ``process, url = start_web(AGENTIC_SSE_HEARTBEAT_S="0.3")``."""

    def start(**environment: str) -> tuple[Any, str]:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        process = spawn("config.serve", "--port", str(port), name=f"web-{next(_numbers)}", **environment)
        wait_for(lambda: is_up(url), what="a second API server answering")
        return process, url

    return start


@pytest.fixture(scope="session")
def impatient_web(start_web: Callable[..., tuple[Any, str]]) -> tuple[Any, str]:
    """A server with a heartbeat of 0.3 s that gives clients two seconds to read."""
    return start_web(AGENTIC_SSE_HEARTBEAT_S="0.3", AGENTIC_SSE_SEND_TIMEOUT_S="2")


@pytest.fixture
def impatient(api: Api, impatient_web: tuple[Any, str]) -> Api:
    """The caller of `api`, at the impatient server."""
    return Api(impatient_web[1], api.token)
