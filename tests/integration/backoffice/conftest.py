"""A web process of its own, since sign-in needs an issuer that knows its address, and people with roles."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings

from apps.audit.models import AuditLog
from apps.identity.models import User
from apps.identity.services import ensure_application, ensure_user
from apps.ops.admin_client import CALLBACK_PATH, client_secret
from apps.tenancy.models import Tenant
from apps.tenancy.selectors import tenant_by_slug
from kernel import engine_db
from tests.clients import free_port, is_up, wait_for
from tests.factories import make_tenant
from tests.integration.backoffice.browser import PASSWORD, Browser

MakeUser = Callable[..., User]
SignIn = Callable[[User], Browser]


@pytest.fixture(scope="session")
def office_url(spawn: Callable[..., Any]) -> str:
    """The base URL of a server whose admin can sign people in at its own issuer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ensure_application(
        client_id=django_settings.ADMIN_CLIENT_ID,
        name="Administration pages",
        redirect_uris=[url + CALLBACK_PATH],
        secret=client_secret(),
        trusted=True,
    )
    process = spawn("config.serve", "--port", str(port), name="office", AGENTIC_PUBLIC_URL=url)
    wait_for(lambda: process.poll() is not None or is_up(url), what="the server answering")
    assert process.poll() is None, "the server ended; see office.log"
    return url


@pytest.fixture(autouse=True)
def passwords_are_cheap(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def make_user(tenant: Tenant) -> MakeUser:
    def make(role: str, of: Tenant | None = None) -> User:
        username = f"{role}-{secrets.token_hex(4)}@example.org"
        return ensure_user(username=username, password=PASSWORD, tenant_id=(of or tenant).id, roles=[role])

    return make


@pytest.fixture
def sign_in(office_url: str) -> SignIn:
    def enter(user: User) -> Browser:
        browser = Browser(office_url)
        page = browser.sign_in(user)
        assert page.status_code == 200, (page.status_code, page.text[:500])
        return browser

    return enter


@pytest.fixture
def tenant_admin(make_user: MakeUser, sign_in: SignIn) -> Browser:
    """An administrator of this test's tenant, signed in."""
    return sign_in(make_user("admin"))


@pytest.fixture
def platform_admin(make_user: MakeUser, sign_in: SignIn) -> Browser:
    """An administrator of the platform, signed in."""
    home = tenant_by_slug(django_settings.PLATFORM_TENANT)
    assert home is not None
    return sign_in(make_user("admin", home))


@pytest.fixture
def other_tenant() -> Tenant:
    return make_tenant()


@pytest.fixture
def audited() -> Callable[..., AuditLog]:
    """Wait for the audit row of an action on a resource."""

    def wait(action: str, resource_id: object) -> AuditLog:
        rows = AuditLog.objects.using(engine_db.ALIAS).filter(action=action, resource_id=str(resource_id))
        return wait_for(rows.first, what=f"an audit row {action} on {resource_id}")

    return wait
