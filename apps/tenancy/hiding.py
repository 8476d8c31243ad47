"""Personal data in what a tenant's people are shown or what is kept for them: hidden by the tenant's own mode."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.tenancy.resolver import tenant_config
from kernel.pii.document import scrub_json
from kernel.pii.keys import digest_key
from kernel.pii.text import Mode


def mode_of(tenant_id: UUID) -> Mode:
    """The tenant's ``pii_mode``; ``mask`` where there is no such tenant. UnavailableError when it cannot be known."""
    config = tenant_config(tenant_id)
    return "mask" if config is None else config.settings.pii_mode


def key_of(tenant_id: UUID) -> bytes:
    """What digests are keyed with: the same value looks different in another tenant."""
    return digest_key(settings.SECRET_KEY, str(tenant_id))


def scrubber(tenant_id: UUID, mode: Mode | None = None) -> Callable[[Any], Any]:
    """Any JSON value without personal data. ``mode``: instead of the tenant's own."""
    by, key = mode or mode_of(tenant_id), key_of(tenant_id)
    return lambda value: scrub_json(value, by, key)[0]
