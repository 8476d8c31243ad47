"""Providers and their models, which one is whose default, and the books of what calls cost (SPEC 8, 9.1).

A row without a tenant is the platform's: every tenant sees it, its administrators alone change it. Money is whole
billionths of a US dollar.
"""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

PROVIDER_TYPES = ("ollama", "openai", "azure", "demo")
SCOPES = ("global", "tenant", "user")
CALL_STATES = ("open", "settled", "lost")


class Provider(models.Model):
    """Somebody who runs models, at one address. Its key is in provider_secrets, which the application cannot read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField(null=True, help_text="Empty: every tenant's.")
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=16)
    base_url = models.CharField(max_length=2048, default="", help_text="Empty for the demo provider.")
    config = models.JSONField(default=dict, help_text="ProviderSettings of apps/llm/documents.py.")
    priority = models.IntegerField(default=100, help_text="Lower is asked first when another fails.")
    enabled = models.BooleanField(default=True)
    is_main = models.BooleanField(default=False, help_text="The one that GET .../providers/main names.")
    key_hint = models.CharField(max_length=8, default="", help_text="The last four characters of the key, or empty.")
    version = models.IntegerField(default=1, help_text="Counts changes, the key's too; the ETag of the resource.")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "providers"
        constraints = [
            models.UniqueConstraint(name="providers_name", fields=["tenant_id", "name"], nulls_distinct=False),
            models.CheckConstraint(name="providers_type_known", condition=models.Q(type__in=PROVIDER_TYPES)),
            models.UniqueConstraint(
                name="providers_one_main",
                fields=["tenant_id"],
                condition=models.Q(is_main=True),
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ProviderSecret(models.Model):
    """A provider's key, encrypted together with the provider's id and host: elsewhere it cannot be decrypted."""

    provider = models.OneToOneField(Provider, on_delete=models.CASCADE, primary_key=True)
    ciphertext = models.TextField()
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "provider_secrets"


class ModelInstance(models.Model):
    """A model that can be asked, under a name of its own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField(null=True, help_text="Empty: every tenant's.")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT)
    instance_name = models.CharField(max_length=100)
    model_id = models.CharField(max_length=255, help_text="What the provider calls it.")
    model_uri = models.CharField(max_length=2048, default="")
    description = models.TextField(default="")
    context_window = models.IntegerField(default=8192, help_text="Tokens, those of the answer among them.")
    max_output_tokens = models.IntegerField(default=2048, help_text="Of one answer, unless the request asks for less.")
    modalities = models.JSONField(default=list, help_text='["text"]')
    supports_tools = models.BooleanField(default=True)
    parameters = models.JSONField(default=dict, help_text="Sent with every request, as they are.")
    input_nano_usd = models.BigIntegerField(null=True, help_text="Per token; empty: the price catalogue's.")
    output_nano_usd = models.BigIntegerField(null=True, help_text="Per token; empty: the price catalogue's.")
    enabled = models.BooleanField(default=True)
    loaded_at = models.DateTimeField(null=True, help_text="When a warm-up last had it ready.")
    created_by = models.CharField(max_length=255, default="")
    version = models.IntegerField(default=1, help_text="Counts changes; the ETag of the resource.")
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())
    idempotency_key = models.CharField(max_length=255, null=True)
    request_hash = models.CharField(max_length=64, default="")

    class Meta:
        db_table = "model_instances"
        constraints = [
            models.UniqueConstraint(
                name="model_instances_name", fields=["tenant_id", "instance_name"], nulls_distinct=False
            ),
            models.UniqueConstraint(name="model_instances_idempotency", fields=["tenant_id", "idempotency_key"]),
        ]
        indexes = [models.Index(name="model_instances_list", fields=["tenant_id", "created_at", "id"])]

    def __str__(self) -> str:
        return self.instance_name


class ModelDefault(models.Model):
    """The model that answers where none is named: the user's, else the tenant's, else the platform's."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    scope = models.CharField(max_length=8)
    tenant_id = models.UUIDField(null=True)
    user_sub = models.CharField(max_length=255, null=True)
    instance = models.ForeignKey(ModelInstance, on_delete=models.CASCADE)
    version = models.IntegerField(default=1)
    updated_by = models.CharField(max_length=255, default="")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "model_defaults"
        constraints = [
            models.UniqueConstraint(
                name="model_defaults_one", fields=["scope", "tenant_id", "user_sub"], nulls_distinct=False
            ),
            models.CheckConstraint(
                name="model_defaults_scope",
                condition=models.Q(scope="global", tenant_id=None, user_sub=None)
                | models.Q(scope="tenant", tenant_id__isnull=False, user_sub=None)
                | models.Q(scope="user", tenant_id__isnull=False, user_sub__isnull=False),
            ),
        ]


class ProviderManifest(models.Model):
    """A document that lists providers and models. Staged, then activated; the history is what can be gone back to."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField(null=True, help_text="Empty: the platform's.")
    name = models.CharField(max_length=100)
    document = models.JSONField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, default="staged", help_text="staged, active, superseded or rolled_back.")
    staged_by = models.CharField(max_length=255, default="")
    staged_at = models.DateTimeField(db_default=Now())
    activated_by = models.CharField(max_length=255, default="")
    activated_at = models.DateTimeField(null=True)
    before = models.JSONField(null=True, help_text="What the activation found: what a rollback lays back.")

    class Meta:
        db_table = "provider_manifests"
        constraints = [
            models.CheckConstraint(
                name="provider_manifests_state",
                condition=models.Q(state__in=("staged", "active", "superseded", "rolled_back")),
            ),
        ]
        indexes = [models.Index(name="provider_manifests_list", fields=["tenant_id", "-staged_at"])]


class LlmCall(models.Model):
    """One call to one provider in the books: held while it is under way, settled with what it cost.

    open: ``held_*`` counts as spent. settled: ``nano_usd`` and tokens are final. lost: its process died before it
    could say; what was held counts as spent, because the provider may have been paid.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField()
    call_id = models.UUIDField(help_text="The gateway's call; each provider asked for it has a row.")
    user_sub = models.CharField(max_length=255)
    run_id = models.UUIDField(null=True)
    purpose = models.CharField(max_length=32)
    provider_id = models.UUIDField()
    provider = models.CharField(max_length=100)
    instance_id = models.UUIDField()
    instance = models.CharField(max_length=100)
    model_id = models.CharField(max_length=255)
    state = models.CharField(max_length=8, default="open")
    outcome = models.CharField(max_length=24, default="", help_text="ok, or the kind of failure.")
    held_nano_usd = models.BigIntegerField(default=0)
    held_tokens = models.BigIntegerField(default=0)
    held_output_tokens = models.BigIntegerField(default=0, help_text="Of held_tokens, those held for the answer.")
    nano_usd = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    priced_by = models.CharField(max_length=16, default="")
    is_estimated = models.BooleanField(default=False)
    used_fallback = models.BooleanField(default=False)
    attempts = models.IntegerField(default=0)
    started_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(help_text="Still open then: its process is gone.")
    settled_at = models.DateTimeField(null=True)  # the hour of llm_hours that it counts in
    latency_ms = models.FloatField(null=True)

    class Meta:
        db_table = "llm_calls"
        constraints = [
            models.CheckConstraint(name="llm_calls_state_known", condition=models.Q(state__in=CALL_STATES)),
        ]
        indexes = [
            models.Index(name="llm_calls_list", fields=["tenant_id", "-started_at", "-id"]),
            models.Index(
                name="llm_calls_run", fields=["tenant_id", "run_id"], condition=models.Q(run_id__isnull=False)
            ),
            models.Index(name="llm_calls_open", fields=["expires_at"], condition=models.Q(state="open")),
            models.Index(name="llm_calls_user", fields=["tenant_id", "user_sub", "started_at"]),
            BrinIndex(name="llm_calls_age", fields=["started_at"]),
        ]


class LlmAccount(models.Model):
    """What a tenant (key: empty) or a run (key: its id) holds, and has ever spent. Its lock orders the calls."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    key = models.CharField(max_length=64, default="")
    held_nano_usd = models.BigIntegerField(default=0)
    held_tokens = models.BigIntegerField(default=0)
    spent_nano_usd = models.BigIntegerField(default=0)
    spent_tokens = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "llm_accounts"
        constraints = [models.UniqueConstraint(name="llm_accounts_key", fields=["tenant_id", "key"])]


class LlmHour(models.Model):
    """What a tenant spent in one hour: the last 24 of them are what its daily budget looks at."""

    id = models.BigAutoField(primary_key=True)
    tenant_id = models.UUIDField()
    hour = models.DateTimeField()
    nano_usd = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)

    class Meta:
        db_table = "llm_hours"
        constraints = [models.UniqueConstraint(name="llm_hours_one", fields=["tenant_id", "hour"])]
