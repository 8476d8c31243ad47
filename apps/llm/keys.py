"""Providers' keys, encrypted: each together with the id and the host it is for, so that it opens nowhere else.

A ciphertext that was moved to another provider's row, or whose provider points to another host now, cannot be read.
provider_secrets is the engine's role's alone; this module is the only one that touches it.
"""

import base64
from functools import lru_cache
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import connections
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from apps.llm.models import ProviderSecret
from apps.llm.net.addresses import host_of
from kernel import engine_db

HINT_CHARS = 4
HINT_OF_AT_LEAST = 12  # characters: of a shorter key four would be too many


class KeyUnreadable(Exception):
    """The stored key cannot be decrypted, or is another provider's or another host's. Enter it anew."""


class _Sealed(BaseModel):
    """What is encrypted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: UUID
    host: str
    key: str = Field(repr=False)


def read_key(provider_id: UUID, base_url: str) -> str:
    """The provider's key; empty when it has none. KeyUnreadable when what is stored is not for it and this host."""
    connection = connections[engine_db.ALIAS]
    try:
        ciphertext = (
            ProviderSecret.objects.using(engine_db.ALIAS)
            .filter(provider_id=provider_id)
            .values_list("ciphertext", flat=True)
            .first()
        )
    finally:
        if not connection.in_atomic_block:
            connection.close()  # back to the pool, which is small: the caller may talk to a provider for minutes
    return "" if ciphertext is None else opened(ciphertext, provider_id, base_url)


def write_key(provider_id: UUID, base_url: str, key: str) -> None:
    """Store the key in the transaction that is open through the engine's door."""
    ProviderSecret.objects.using(engine_db.ALIAS).update_or_create(
        provider_id=provider_id, defaults={"ciphertext": sealed(provider_id, base_url, key)}
    )


def clear_key(provider_id: UUID) -> None:
    """Forget the key, in the transaction that is open through the engine's door."""
    ProviderSecret.objects.using(engine_db.ALIAS).filter(provider_id=provider_id).delete()


def is_stored(provider_id: UUID) -> bool:
    """Whether the provider has a key, readable or not."""
    return ProviderSecret.objects.using(engine_db.ALIAS).filter(provider_id=provider_id).exists()


def hint_of(key: str) -> str:
    """By what its owner recognises a key: the last four characters; nothing of a short one."""
    return key[-HINT_CHARS:] if len(key) >= HINT_OF_AT_LEAST else ""


def sealed(provider_id: UUID, base_url: str, key: str) -> str:
    """The ciphertext, by the first of the encryption keys."""
    plain = _Sealed(provider=provider_id, host=place_of(base_url), key=key).model_dump_json()
    return _fernet().encrypt(plain.encode()).decode()


def opened(ciphertext: str, provider_id: UUID, base_url: str) -> str:
    """The key in a ciphertext. KeyUnreadable unless it was sealed for this provider and this host."""
    held = _unsealed(ciphertext)
    if held.provider != provider_id or held.host != place_of(base_url):
        raise KeyUnreadable("The stored key belongs to another provider or to another address.")
    return held.key


def reencrypted(ciphertext: str, provider_id: UUID) -> str:
    """The same under the first of the encryption keys. KeyUnreadable when none of them opens it for this provider."""
    if _unsealed(ciphertext).provider != provider_id:
        raise KeyUnreadable("The stored key belongs to another provider.")
    return _fernet().rotate(ciphertext.encode()).decode()


def _unsealed(ciphertext: str) -> _Sealed:
    try:
        return _Sealed.model_validate(from_json(_fernet().decrypt(ciphertext.encode())))
    except (InvalidToken, ValidationError, ValueError):
        # Without its cause, which could quote what was decrypted.
        raise KeyUnreadable("The stored key cannot be decrypted.") from None


def place_of(base_url: str) -> str:
    """What a key is bound to: scheme, host and port. A key for https is not sent over http."""
    return f"{base_url.partition(':')[0]}://{host_of(base_url)}" if base_url else ""


def _fernet() -> MultiFernet:
    return _fernet_of(settings.LLM_ENCRYPTION_KEYS, settings.SECRET_KEY)


@lru_cache(maxsize=8)
def _fernet_of(listed: str, secret: str) -> MultiFernet:
    """Of the listed keys the first encrypts. The one made from the secret comes last: what it encrypted, before
    anybody listed a key, stays readable until it is rotated."""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    return MultiFernet([*(Fernet(name) for name in names), Fernet(_derived(secret))])


def _derived(secret: str) -> bytes:
    """A Fernet key from the platform's secret: for where nobody set one."""
    made = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"providers' keys").derive(secret.encode())
    return base64.urlsafe_b64encode(made)
