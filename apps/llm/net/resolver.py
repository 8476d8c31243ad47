"""Names to addresses, within a limit. A name server that does not answer holds up no other name."""

import ipaddress
import os
import socket
import threading
import time
from collections.abc import Callable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
RESOLVE_LIMIT_S = 2.0
LOOKUPS_MAX = 64  # under way at once in this process; a stuck one ends when the system's resolver gives up
LOOK_EVERY_S = 0.2


class NameUnknownError(Exception):
    """The name has no address now."""


class NameServerSilentError(NameUnknownError):
    """Whether the name has an address was not said in time."""


class _Lookup:
    """One question to the system's resolver, which cannot be stopped: whoever asks for the same name waits for it."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.done = threading.Event()
        self.found: tuple[Address, ...] = ()

    def run(self, key: tuple[int, str]) -> None:
        try:
            answers = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            texts = (str(answer[4][0]).partition("%")[0] for answer in answers)
            self.found = tuple(dict.fromkeys(ipaddress.ip_address(text) for text in texts))
        except (OSError, ValueError):  # ValueError: no name at all
            self.found = ()
        finally:
            _under_way.pop(key, None)
            self.done.set()


_under_way: dict[tuple[int, str], _Lookup] = {}  # by process too: a fork inherits the table, not the threads


def addresses_of(host: str, look: Callable[[], object] | None = None) -> tuple[Address, ...]:
    """Every address of the name, at least one. ``look`` is called a few times a second meanwhile and may raise."""
    key = (os.getpid(), host)
    lookup = _Lookup(host)
    first = _under_way.setdefault(key, lookup)
    if first is lookup:
        _start(lookup, key)
    until = time.monotonic() + RESOLVE_LIMIT_S
    while not first.done.wait(max(0.0, min(LOOK_EVERY_S, until - time.monotonic()))):
        if time.monotonic() >= until:
            raise NameServerSilentError(f"The name {host} was not resolved within {RESOLVE_LIMIT_S:g} s.")
        if look is not None:
            look()
    if not first.found:
        raise NameUnknownError(f"The name {host} cannot be resolved.")
    return first.found


def _start(lookup: _Lookup, key: tuple[int, str]) -> None:
    if sum(pid == key[0] for pid, _ in list(_under_way)) > LOOKUPS_MAX:
        _under_way.pop(key, None)
        lookup.done.set()
        raise NameServerSilentError("Too many names are being resolved.")
    try:
        threading.Thread(target=lookup.run, args=(key,), name="resolve", daemon=True).start()
    except RuntimeError as error:  # no more threads
        _under_way.pop(key, None)
        lookup.done.set()
        raise NameServerSilentError("No name can be resolved now.") from error
