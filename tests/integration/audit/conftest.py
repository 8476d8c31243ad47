"""Audit rows as their writers make them, and a superuser who tampers with them."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from apps.audit import trail
from apps.audit.models import AuditLog
from apps.audit.writer import writer
from apps.identity.services import ensure_user
from kernel.tenant_context import tenant_scope
from tests.integration.audit.chains import rows_of
from tests.integration.identity.cli import PASSWORD, Cli

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def superuser(admin_url: str) -> Iterator[Connection]:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def bare() -> SimpleNamespace:
    """A chain with nothing in it: a tenant's begins with `tenant.created`."""
    return SimpleNamespace(id=uuid4())


@pytest.fixture
def written(bare: Any) -> Callable[..., list[AuditLog]]:
    """Write ``count`` rows into the test's own chain; its rows in order."""

    def write(count: int, **columns: Any) -> list[AuditLog]:
        for number in range(count):
            with tenant_scope(bare.id):
                values = {"actor": "ada", "action": "thing.done", "details": {"number": number}, **columns}
                trail.record(tenant_id=bare.id, **values)
        return rows_of(bare.id)

    return write


@pytest.fixture
def cli_sign_in(tenant: Any) -> Callable[..., Any]:
    """Sign in with a wrong and then with the right password; both answers and the user."""

    def sign_in() -> tuple[Any, Any, Any]:
        user = ensure_user(
            username=f"u-{uuid4().hex[:8]}@example.org", password=PASSWORD, tenant_id=tenant.id, roles=["user"]
        )
        browser = Cli("unused", user)
        wrong = browser.submit(browser.browser.get("/oidc/login"), username=user.username, password="wrong")
        right = browser.submit(browser.browser.get("/oidc/login"), username=user.username, password=PASSWORD)
        writer.flush(3)
        return wrong, right, user

    return sign_in
