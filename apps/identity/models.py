"""Accounts of the built-in issuer, and the tokens taken back before their time. Reached as cineca_issuer only."""

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class User(AbstractUser):
    """A person who can sign in at the built-in issuer. Belongs to one tenant; `id` is the `sub` of its tokens."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant_id = models.UUIDField(
        null=True, help_text="The tenant; null: an account without one, which can get no access token."
    )
    roles = ArrayField(models.CharField(max_length=32), default=list, help_text="Names from apps/identity/rbac.py.")

    class Meta(AbstractUser.Meta):
        db_table = "users"
        indexes = [models.Index(fields=["tenant_id"], name="users_tenant")]


class RevokedToken(models.Model):
    """An access token that is refused although it has not expired. Written by a trigger, whoever deletes the token.

    Tokens are unique texts (strict base64url), so their hash is as good as their `jti`.
    """

    token_checksum = models.CharField(primary_key=True, max_length=64, help_text="SHA-256 of the token, hexadecimal.")
    expires_at = models.DateTimeField(db_index=True, help_text="After this the row may go.")

    class Meta:
        db_table = "revoked_tokens"


class SignInAttempt(models.Model):
    """A sign-in that failed, or is under way; one that succeeds is deleted. Counted by apps/identity/throttle.py."""

    account = models.CharField(max_length=64, help_text="SHA-256 of the user name; empty: no account was named.")
    address = models.CharField(max_length=64, help_text="Where it came from; IPv6 by its /64.")
    attempted_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "sign_in_attempts"
        indexes = [
            models.Index(fields=["account", "attempted_at"], name="sign_in_attempts_account"),
            models.Index(fields=["address", "attempted_at"], name="sign_in_attempts_address"),
        ]
