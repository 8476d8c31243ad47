"""A tenant and people of its own for each test; requests through the whole stack of layers."""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.identity import issuer
from apps.identity.issuer import own_issuer, sign_access_token
from apps.identity.models import User
from apps.identity.rbac import scopes_of
from apps.identity.services import ensure_application, ensure_user
from apps.tenancy.models import Tenant
from tests.clients import wait_for
from tests.integration.identity.cli import CALLBACK, PASSWORD, Cli
from tests.unit.identity.forge import Forge

CONFIDENTIAL_SECRET = "a-secret-of-a-confidential-client"


@pytest.fixture(autouse=True)
def passwords_are_cheap(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def make_user(tenant: Tenant) -> Callable[[str], User]:
    def make(role: str) -> User:
        username = f"{role}-{secrets.token_hex(4)}@example.org"
        return ensure_user(username=username, password=PASSWORD, tenant_id=tenant.id, roles=[role])

    return make


@pytest.fixture
def token_for(tenant: Tenant) -> Callable[..., str]:
    def make(role: str = "user", *, sub: str = "ada", ttl_s: int = 600) -> str:
        scopes = sorted(scopes_of([role]))
        return sign_access_token(
            sub=sub, tenant_id=tenant.id, roles=[role], scopes=scopes, client_id="test", ttl_s=ttl_s
        )

    return make


@pytest.fixture
def forge(tenant: Tenant) -> Forge:
    """Signs with the issuer's real key, for a tenant that exists."""
    key = issuer.keyring().signing_key()
    return Forge(key.private_key, key.kid, own_issuer(), str(tenant.id))


@pytest.fixture
def client() -> Client:
    return Client(SERVER_NAME="127.0.0.1")


@pytest.fixture
def keys_directory(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Ask again and again until the answer is yes."""

    return lambda holds: wait_for(holds, what="a yes", every_s=0.05)


@pytest.fixture
def make_cli(make_user: Callable[[str], User]) -> Callable[..., Cli]:
    def make(role: str = "user") -> Cli:
        client_id = f"cli-{secrets.token_hex(4)}"
        ensure_application(client_id=client_id, name="Test CLI", redirect_uris=[CALLBACK], secret=None)
        return Cli(client_id, make_user(role))

    return make


@pytest.fixture
def cli(make_cli: Callable[..., Cli]) -> Cli:
    return make_cli()


@pytest.fixture
def confidential() -> dict[str, str]:
    """Headers by which a confidential client authenticates."""
    client_id = f"svc-{secrets.token_hex(4)}"
    ensure_application(client_id=client_id, name="Service", redirect_uris=[CALLBACK], secret=CONFIDENTIAL_SECRET)
    return {"Authorization": "Basic " + base64.b64encode(f"{client_id}:{CONFIDENTIAL_SECRET}".encode()).decode()}
