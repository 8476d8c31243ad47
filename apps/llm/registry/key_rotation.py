"""Encrypting all providers' keys anew with the first of AGENTIC_LLM_ENCRYPTION_KEYS. Safe to repeat."""

from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from apps.audit import trail
from apps.llm import keys
from apps.llm.models import ProviderSecret
from apps.llm.registry.transactions import SYSTEM
from kernel import engine_db


@dataclass
class Rotation:
    """How many were encrypted anew, and whose key cannot be decrypted: provider ids."""

    rotated: int = 0
    unreadable: list[UUID] = field(default_factory=list)


def rotate_all() -> Rotation:
    """Each key in a transaction of its own: what was rotated stays so whatever comes after."""
    done = Rotation()
    ids = list(ProviderSecret.objects.using(engine_db.ALIAS).order_by("provider_id").values_list("pk", flat=True))
    for provider_id in ids:
        with transaction.atomic(using=engine_db.ALIAS):
            rows = ProviderSecret.objects.using(engine_db.ALIAS).select_for_update()
            held = rows.filter(provider_id=provider_id).first()
            if held is None:
                continue  # taken away just now
            try:
                held.ciphertext = keys.reencrypted(held.ciphertext, provider_id)
            except keys.KeyUnreadable:
                done.unreadable.append(provider_id)
                continue
            held.save(using=engine_db.ALIAS, update_fields=["ciphertext"])
            done.rotated += 1
    with transaction.atomic(using=engine_db.ALIAS):
        trail.record(
            tenant_id=None,
            actor=SYSTEM,
            action="provider_keys.rotated",
            resource_type="provider_secret",
            details={"rotated": done.rotated, "unreadable": [str(provider_id) for provider_id in done.unreadable]},
            using=engine_db.ALIAS,
        )
    return done
