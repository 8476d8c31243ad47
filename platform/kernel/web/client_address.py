"""Whose address a request came from, as far as it can be believed."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

UNKNOWN = "unknown"  # a socket of the file system has no address
LONGEST_TEXT = 64


def client_address(peer: str, forwarded_for: str, trusted_proxies: Iterable[Any]) -> str:
    """The peer's address, or, if the peer is a trusted proxy, the nearest one in X-Forwarded-For that is none.

    Everything further to the left was written by the client, and is not read. IPv4 inside IPv6 is shown as IPv4.
    """
    found = _address(peer)
    if found is None:
        return UNKNOWN
    proxies = tuple(trusted_proxies)
    if proxies and forwarded_for:
        hops = forwarded_for.split(",")
        while hops and _is_trusted(found, proxies):
            hop = _address(hops.pop().strip())
            if hop is None:
                break
            found = hop
    return str(found)


def limited_address(address: str) -> str:
    """The address by which a client is counted: IPv6 by its /64, which is what one subscriber has."""
    found = _address(address)
    return str(IPv6Network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    if len(text) > LONGEST_TEXT:
        return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _is_trusted(address: IPv4Address | IPv6Address, proxies: tuple[Any, ...]) -> bool:
    return any(address in network for network in proxies)
