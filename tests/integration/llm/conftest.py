"""Callers and models for tests of the registry."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from apps.llm.providers.base import Adapter
from apps.tenancy.models import Tenant
from devkit.llm_stub import Stub, running_stub
from tests.clients import Api
from tests.factories import make_model, make_token, platform_tenant
from tests.integration.llm.wire_clients import ADAPTERS, make


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    """A server that speaks the providers' wires, of the test module's own."""
    with running_stub() as running:
        yield running


@pytest.fixture(params=sorted(ADAPTERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def adapter(kind: str, stub: Stub) -> Iterator[Adapter]:
    made = make(kind, stub)
    yield made
    made.close()


@pytest.fixture
def platform_admin(api_url: str) -> Api:
    """An administrator of the platform."""
    return Api(api_url, make_token(platform_tenant(), role="admin"))


@pytest.fixture
def viewer(api_url: str, tenant: Tenant) -> Api:
    """One of the tenant who may look and not use."""
    return Api(api_url, make_token(tenant, role="viewer"))


@pytest.fixture
def model(tenant: Tenant) -> Callable[..., Any]:
    """Makes a demo provider with one model instance of the test's tenant."""

    def make(**fields: Any) -> Any:
        return make_model(tenant.id, **fields)

    return make


@pytest.fixture
def superuser(admin_url: str) -> Iterator[psycopg.Connection[Any]]:
    """PostgreSQL behind the platform's back; every statement is a transaction."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        yield connection
