"""An administrator of the platform, and of no tenant but its own."""

import pytest

from tests.clients import Api
from tests.factories import make_token, platform_tenant


@pytest.fixture
def platform_admin(api_url: str) -> Api:
    return Api(api_url, make_token(platform_tenant(), role="admin"))
