"""Language models: how patient the gateway is, where providers may be, and what encrypts their keys."""

import base64
import binascii

from config.env import SettingError, env

# The circuit breaker of each provider (SPEC 11)
LLM_BREAKER_FAILURES = env.integer(
    "AGENTIC_LLM_BREAKER_FAILURES", 5, "Failures in a row after which a provider is left alone.", 1, 1000
)
LLM_BREAKER_OPEN_S = env.number(
    "AGENTIC_LLM_BREAKER_OPEN_S", 30.0, "Seconds a failing provider is left alone before one call tries it.", 0.05
)
LLM_BREAKER_SUCCESSES = 2  # trials in a row that must succeed before everybody may call again

# Retries in place, before another provider is asked
LLM_RETRY_BASE_S = 0.25  # the first wait is up to this, each next up to twice as long
LLM_RETRY_CAP_S = 5.0  # no wait is longer; a provider that asks for more is left for another
LLM_RETRY_SHARE = 0.1  # of a provider's calls may be retries, once those in LLM_RETRY_SPARE are used up
LLM_RETRY_SPARE = 5

LLM_SLOT_WAIT_S = 2.0  # how long a call waits for its turn at a provider that has as many as it may
LLM_CATALOGUE_AGE_S = 1.0  # how old a process's knowledge of providers and models may be
LLM_WARM_UP_S = 300.0  # all tries together
LLM_WARM_UP_TRIES = 3
LLM_WARM_UP_PAUSE_S = 10.0  # between two tries
LLM_PROVIDER_CHECK_S = 60.0  # seconds between two looks at a provider
LLM_CALL_RETENTION_DAYS = 400  # the books of single calls

LLM_PRIVATE_HOSTS = env.items(
    "AGENTIC_LLM_PRIVATE_HOSTS",
    "",
    "Addresses inside your network where providers may be: 127.0.0.1:11434, 10.1.0.0/16, [::1]:8080.",
)
LLM_ENCRYPTION_KEYS = env.secret(
    "AGENTIC_LLM_ENCRYPTION_KEYS",
    "",
    "Fernet keys for providers' keys, comma-separated; the first encrypts. Empty: made from AGENTIC_SECRET_KEY.",
)


def _is_fernet_key(name: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(name)) == 32
    except (binascii.Error, ValueError):
        return False


if not all(_is_fernet_key(name.strip()) for name in LLM_ENCRYPTION_KEYS.split(",") if name.strip()):
    raise SettingError(
        "AGENTIC_LLM_ENCRYPTION_KEYS: each key is 32 random bytes in URL-safe base64, as "
        'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())" makes them.'
    )
