"""Whether tokens can be verified right now, for the health page."""

from typing import Any

from django.conf import settings

from apps.identity import standing
from apps.identity.issuer import keyring, own_issuer
from apps.identity.jwks import HttpJwks
from apps.identity.tokens import verifier


def issuer_health() -> dict[str, Any]:
    """{issuer, kind, ...}. LookupError when the trusted issuer's keys cannot be had."""
    if standing.current.is_degraded:
        raise LookupError("revocations cannot be read; what was last known is still used")
    if not settings.OIDC_ISSUER:
        return {"issuer": own_issuer(), "kind": "built-in", "keys": len(keyring().keys())}
    source = verifier().keys
    if isinstance(source, HttpJwks) and source.is_degraded:
        raise LookupError("the issuer did not answer when it was last asked; known keys are still used")
    return {"issuer": settings.OIDC_ISSUER, "kind": "external"}
