"""What tests of the numbered attacks share."""

import pytest

from apps.identity import issuer
from apps.identity.issuer import own_issuer
from apps.tenancy.models import Tenant
from tests.integration.runs.conftest import effects, engine, undisturbed  # noqa: F401
from tests.unit.identity.forge import Forge


@pytest.fixture
def forge(tenant: Tenant) -> Forge:
    """Signs with the issuer's real key, for a tenant that exists."""
    key = issuer.keyring().signing_key()
    return Forge(key.private_key, key.kid, own_issuer(), str(tenant.id))
