"""How often a sign-in may fail before nobody may try any more: by account and by address, in any 15 minutes.

Counted in PostgreSQL, where the accounts are: while it is away nobody signs in, so its outage opens nothing. An attempt
is written down before the password is looked at and taken back if it was right: attempts at once all count.
"""

import hashlib
import unicodedata
from dataclasses import dataclass

from django.conf import settings
from django.db import connections, router, transaction

from apps.identity.models import SignInAttempt
from kernel.errors import RateLimitedError

CODE = "too_many_sign_ins"
_RECENT = """
    SELECT count(*), extract(epoch FROM min(attempted_at) + make_interval(secs => %s) - now())
      FROM (SELECT attempted_at FROM sign_in_attempts WHERE {column} = %s
               AND attempted_at > now() - make_interval(secs => %s)
             ORDER BY attempted_at DESC LIMIT %s) AS latest
"""


@dataclass(frozen=True)
class Attempt:
    """One that counts as failed until `succeeded` or `forgiven`."""

    id: int
    account: str

    def succeeded(self) -> None:
        """The password was right: the account's failures are forgotten, the address's at other accounts are not."""
        if self.account:
            SignInAttempt.objects.filter(account=self.account).delete()
        else:
            self.forgiven()

    def forgiven(self) -> None:
        """It said nothing about a password."""
        SignInAttempt.objects.filter(id=self.id).delete()


def begin_attempt(*, account: str, address: str) -> Attempt:
    """Count an attempt. RateLimitedError when the account (empty: none is named) or the address has used its up."""
    account = _checksum(account)
    limits = [
        ("account", account, settings.SIGN_IN_FAILURES_PER_ACCOUNT),
        ("address", address, settings.SIGN_IN_FAILURES_PER_ADDRESS),
    ]
    alias = router.db_for_write(SignInAttempt)
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        for column, value, limit in limits:
            if not value:
                continue
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"sign-in:{column}:{value}"])
            window_s = settings.SIGN_IN_WINDOW_S
            cursor.execute(_RECENT.format(column=column), [window_s, value, window_s, limit])
            count, free_in_s = cursor.fetchone()
            if count >= limit:
                raise RateLimitedError(
                    "Too many failed sign-ins. Wait, then try again; an administrator can reset a password.",
                    code=CODE,
                    retry_after_s=max(1.0, float(free_in_s)),
                )
        attempt = SignInAttempt.objects.create(account=account, address=address)
    return Attempt(attempt.id, account)


def _checksum(account: str) -> str:
    """Names are told apart as the accounts' table does, and not kept: people type passwords into the wrong field."""
    account = unicodedata.normalize("NFKC", account.strip())  # as the form's field does
    if not account:
        return ""
    return hashlib.sha256(account.encode(errors="replace")).hexdigest()
