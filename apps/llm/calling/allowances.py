"""How many retries this process may still make at each provider (resilience/retry.Allowance)."""

import threading
from uuid import UUID

from django.conf import settings

from apps.llm.resilience.retry import Allowance

_lock = threading.Lock()
_allowances: dict[UUID, Allowance] = {}


def called(provider_id: UUID) -> None:
    """A call to the provider begins."""
    with _lock:
        _allowances[provider_id] = _of(provider_id).with_call(settings.LLM_RETRY_SHARE)


def may_retry(provider_id: UUID) -> bool:
    """Take one retry, if there is one."""
    with _lock:
        left = _of(provider_id).take()
        if left is None:
            return False
        _allowances[provider_id] = left
        return True


def _of(provider_id: UUID) -> Allowance:
    spare = float(settings.LLM_RETRY_SPARE)
    return _allowances.get(provider_id) or Allowance(spare, spare)
