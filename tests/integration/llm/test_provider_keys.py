"""Providers' keys at rest: encrypted, bound to their place, rotated."""

from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import ProgrammingError

from apps.llm import keys
from apps.llm.models import Provider, ProviderSecret
from apps.llm.registry.providers import register_provider
from apps.tenancy.models import Tenant
from config.env import SettingError
from config.settings import prod
from kernel import engine_db
from kernel.tenant_context import tenant_scope

PLACE = "http://127.0.0.1:9/v1"
KEY = "sk-proj-0123456789abcdefWXYZ"


def with_key(tenant_id: UUID | None, key: str = KEY) -> Provider:
    return register_provider(
        tenant_id=tenant_id, name=f"k-{uuid4().hex[:8]}", type="openai", base_url=PLACE, api_key=key, by=None
    )


def ciphertext(provider: Provider) -> str:
    return str(ProviderSecret.objects.using(engine_db.ALIAS).get(pk=provider.id).ciphertext)


@pytest.mark.requirement("llm:provider-keys-encrypted")
def test_a_stored_key_is_not_in_the_row_and_only_the_engines_role_reads_it(tenant: Tenant) -> None:
    provider = with_key(tenant.id)

    with pytest.raises(ProgrammingError, match="permission denied"), tenant_scope(tenant.id):
        ProviderSecret.objects.using("default").count()
    row = Provider.objects.using(engine_db.ALIAS).filter(id=provider.id).values().get()

    assert KEY not in ciphertext(provider)
    assert KEY not in str(row)
    assert keys.read_key(provider.id, PLACE) == KEY
    assert ciphertext(provider) != ciphertext(with_key(tenant.id))


@pytest.mark.requirement("llm:provider-keys-rotated")
def test_rotation_moves_all_keys_to_the_first_key_and_names_what_cannot_be_read(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, old, new = (Fernet.generate_key().decode() for _ in range(3))
    monkeypatch.setattr(django_settings, "LLM_ENCRYPTION_KEYS", gone)
    lost = with_key(tenant.id)
    made_with_gone = ciphertext(lost)
    monkeypatch.setattr(django_settings, "LLM_ENCRYPTION_KEYS", old)
    one, other = with_key(tenant.id), with_key(tenant.id)
    before = ciphertext(one)

    monkeypatch.setattr(django_settings, "LLM_ENCRYPTION_KEYS", f"{new},{old}")
    said = StringIO()
    with pytest.raises(CommandError, match=str(lost.id)):  # the key it was made with is not among them
        call_command("rotate_provider_keys", stdout=said)
    monkeypatch.setattr(django_settings, "LLM_ENCRYPTION_KEYS", new)

    assert int(said.getvalue().split()[0]) >= 2
    assert ciphertext(one) != before
    assert [keys.read_key(provider.id, PLACE) for provider in (one, other)] == [KEY, KEY]
    assert ciphertext(lost) == made_with_gone
    with pytest.raises(keys.KeyUnreadable):
        keys.read_key(lost.id, PLACE)


@pytest.mark.requirement("llm:provider-keys-rotated")
def test_a_key_from_before_anybody_listed_one_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    provider_id, url = uuid4(), "https://models.example/v1"
    monkeypatch.setattr(django_settings, "LLM_ENCRYPTION_KEYS", "")
    before = keys.sealed(provider_id, url, KEY)

    monkeypatch.setattr(django_settings, "LLM_ENCRYPTION_KEYS", Fernet.generate_key().decode())
    read, rotated = keys.opened(before, provider_id, url), keys.reencrypted(before, provider_id)
    monkeypatch.setattr(django_settings, "SECRET_KEY", "another secret of the platform")

    assert read == keys.opened(rotated, provider_id, url) == KEY
    with pytest.raises(keys.KeyUnreadable):
        keys.opened(before, provider_id, url)


@pytest.mark.requirement("llm:provider-keys-encrypted")
def test_production_demands_an_encryption_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    good: dict[str, Any] = {
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl",
        "FAILPOINT": "",
        "SWEEPER_ENABLED": True,
        "FENCING_ENABLED": True,
        "PUBLIC_URL": "https://platform.example",
        "OIDC_TENANT_ISSUERS": {},
        "LLM_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
    }

    prod.check(good)
    with pytest.raises(SettingError, match="AGENTIC_LLM_ENCRYPTION_KEYS"):
        prod.check({**good, "LLM_ENCRYPTION_KEYS": ""})
