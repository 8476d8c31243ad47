"""A server in this process, whose tools tests may add to."""

from collections.abc import Iterator

import pytest

from tests.integration.mcp.talking import served_here


@pytest.fixture(scope="module")
def url_here() -> Iterator[str]:
    """The URL of the platform served by this process."""
    with served_here() as url:
        yield url
