"""Which adapter speaks which provider's wire, and the adapters of this process: one for each version of a provider."""

import os
import threading
import time
from collections import OrderedDict, deque
from dataclasses import replace
from importlib import import_module
from uuid import UUID

from apps.llm import keys
from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.providers.base import Adapter, ProviderConfig

# Imported with the first call: most processes need none of them, and few need all.
ADAPTERS: dict[str, tuple[str, str]] = {
    "ollama": ("apps.llm.providers.ollama", "OllamaAdapter"),
    "openai": ("apps.llm.providers.openai_style", "OpenAIStyleAdapter"),
    "azure": ("apps.llm.providers.azure", "AzureAdapter"),
    "demo": ("apps.llm.providers.demo.adapter", "DemoAdapter"),
}
KEPT = 256
RETIRED_FOR_S = 700.0  # longer than any call lasts: only then are a retired adapter's connections closed

_adapters: OrderedDict[UUID, tuple[int, Adapter]] = OrderedDict()
_retired: deque[tuple[float, Adapter]] = deque()
_lock = threading.Lock()


def adapter_for(config: ProviderConfig) -> Adapter:
    """The adapter of this version of the provider. The key is read when ``config`` brings none.

    ProviderFailure (AUTH) when the key cannot be decrypted.
    """
    held = _adapters.get(config.id)
    if held is not None and held[0] >= config.version:
        return held[1]
    adapter = new_adapter(config)
    with _lock:
        held = _adapters.get(config.id)
        if held is not None and held[0] >= config.version:
            _retired.append((time.monotonic(), adapter))
            return held[1]
        if held is not None:
            _retired.append((time.monotonic(), held[1]))
        _adapters[config.id] = (config.version, adapter)
        _adapters.move_to_end(config.id)
        while len(_adapters) > KEPT:
            _, (_, oldest) = _adapters.popitem(last=False)
            _retired.append((time.monotonic(), oldest))
        _close_retired()
    return adapter


def new_adapter(config: ProviderConfig) -> Adapter:
    """One of the caller's own, to be closed by it: for a provider that is only being tried."""
    if config.type not in ADAPTERS:
        raise ProviderFailure(FailureKind.UNSUPPORTED, f"There is no adapter for the provider type {config.type!r}.")
    if not config.api_key and config.type != "demo":
        try:
            config = replace(config, api_key=keys.read_key(config.id, config.base_url))
        except keys.KeyUnreadable as error:
            raise ProviderFailure(
                FailureKind.AUTH, f"The key of {config.name} cannot be read: enter it anew."
            ) from error
    module, name = ADAPTERS[config.type]
    make: type[Adapter] = getattr(import_module(module), name)
    return make(config)


def _close_retired() -> None:
    while _retired and time.monotonic() - _retired[0][0] > RETIRED_FOR_S:
        _retired.popleft()[1].close()


def _forked() -> None:
    """A child makes connections of its own: on its parent's, each would read what the other was answered."""
    global _lock
    _adapters.clear()
    _retired.clear()
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forked)
