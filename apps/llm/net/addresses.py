"""Where a provider may be: public addresses, and what LLM_PRIVATE_HOSTS lists of the others (security R32)."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from apps.llm.net.resolver import Address, NameUnknownError, addresses_of
from kernel.errors import ValidationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
URL_MAX_CHARS = 2048
PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.ASCII)
_NUMERIC_END = re.compile(r"(^|\.)(0x[0-9a-f]*|[0-9]+)$", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", re.ASCII)
# What clouds tell their machines about themselves, keys among it: a range does not open these, only the very address.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "192.0.0.192",
         "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254"),
    )
)  # fmt: skip
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Not public either, though not every version of ipaddress says so.
_NOT_PUBLIC = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "3fff::/20")))


class AddressRefused(Exception):
    """Nothing is to be sent there. The text says why, for the person who entered the address."""


@dataclass(frozen=True)
class AllowList:
    """LLM_PRIVATE_HOSTS, read: (network, port or None) and (name, port or None)."""

    networks: tuple[tuple[Network, int | None], ...]
    names: frozenset[tuple[str, int | None]]

    def has_name(self, host: str, port: int) -> bool:
        return (host, port) in self.names or (host, None) in self.names

    def has(self, address: Address, port: int) -> bool:
        return any(
            address in network and (address not in _METADATA or network.num_addresses == 1)
            for network, its_port in self.networks
            if its_port in (None, port)
        )


def allow_list() -> AllowList:
    """What the operator has opened."""
    return _read(tuple(settings.LLM_PRIVATE_HOSTS))


def permitted(address: Address, port: int, *, host: str = "") -> bool:
    """Whether a connection to this address may be made; ``host`` is the name that led to it."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        return False
    plain, allowed = _unwrapped(address), allow_list()
    if plain in _METADATA or address in _METADATA:
        return allowed.has(plain, port)
    if allowed.has(plain, port) or allowed.has(address, port) or (host and allowed.has_name(host, port)):
        return True
    return is_public(address)


def is_public(address: Address) -> bool:
    """Global and of one machine; an address that wraps another counts as the other."""
    if isinstance(address, ipaddress.IPv6Address) and (address.teredo or address.is_site_local):
        return False
    wrapped = _unwrapped(address)
    if wrapped != address:
        return is_public(wrapped)
    if address in _METADATA or any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def checked(host: str, port: int, look: Callable[[], object] | None = None) -> tuple[Address, ...]:
    """The addresses of the name, all of them permitted: one bad answer condemns the name.

    AddressRefused, NameUnknownError. ``look`` is called a few times a second while the name is resolved and may raise.
    """
    literal = _literal(host)
    addresses = addresses_of(host, look) if literal is None else (literal,)
    for address in addresses:
        if not permitted(address, port, host=host):
            raise AddressRefused(
                f"{host} leads to {_place(address)}{'' if literal else f' ({address})'}, not to a public address. "
                "An operator can allow it with AGENTIC_LLM_PRIVATE_HOSTS."
            )
    return addresses


def checked_url(raw: str) -> str:
    """The base URL in its normal form, after every check, the addresses of its name among them. ValidationError."""
    try:
        parts = _parts(raw)
        host, port = _host(parts), parts.port or PORTS[parts.scheme]
        addresses = checked(host, port)
        if parts.scheme == "http" and any(_is_public_only(address, host, port) for address in addresses):
            raise AddressRefused("Use https: over http the key and every message could be read on the way.")
    except (AddressRefused, NameUnknownError) as error:
        raise ValidationError(
            f"base_url is refused: {error}",
            code="base_url_refused",
            errors=[{"loc": ["body", "base_url"], "msg": str(error), "type": "base_url_refused"}],
        ) from error
    shown = f"[{host}]" if ":" in host else host
    shown_port = "" if port == PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{shown}{shown_port}{parts.path.rstrip('/')}"


def _place(address: Address) -> str:
    """Where an address that is not public leads, in words: numbers of addresses are masked in answers."""
    plain = _unwrapped(address)
    if plain in _METADATA:
        return "a cloud's metadata service"
    if plain.is_loopback or plain.is_unspecified:
        return "the platform's own machine"
    if plain.is_link_local:
        return "a link-local network"
    return "a private network" if plain.is_private else "an address of no single machine"


def host_of(url: str) -> str:
    """host:port, the port always there: what a key is bound to. Of a URL that checked_url made."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or PORTS.get(parts.scheme, 0)}"


def _is_public_only(address: Address, host: str, port: int) -> bool:
    listed = allow_list()
    return is_public(address) and not listed.has(address, port) and not listed.has_name(host, port)


def _parts(raw: str) -> SplitResult:
    if len(raw) > URL_MAX_CHARS or not raw.isprintable() or any(char in raw for char in " \\\t\r\n"):
        raise AddressRefused(f"It must be at most {URL_MAX_CHARS} characters, without spaces and backslashes.")
    try:
        parts = urlsplit(raw)
        _ = parts.port
    except ValueError as error:
        raise AddressRefused("It is not a URL.") from error
    if parts.scheme not in PORTS or not parts.netloc:
        raise AddressRefused("It must look like https://host/path.")
    if parts.port == 0:
        raise AddressRefused("Port 0 is none.")
    if "@" in parts.netloc:
        raise AddressRefused("It must not carry a user name or password. Enter the key in its own field.")
    if parts.query or parts.fragment or "?" in raw or "#" in raw:
        raise AddressRefused("It must have neither a query (?) nor a fragment (#).")
    if not _PATH.fullmatch(parts.path) or ".." in parts.path or "//" in parts.path:
        raise AddressRefused("Its path has characters that a path of an API has not.")
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    literal = _literal(host)
    if literal is not None:
        return str(literal)
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise AddressRefused("Its host is not a valid name.") from error
    literal = _literal(host)
    if literal is not None:
        return str(literal)
    if _NUMERIC_END.search(host) or len(host) > 253 or not _NAME.fullmatch(host):
        raise AddressRefused("Its host is neither a name nor an address of four decimal numbers.")
    return host


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries, else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


@lru_cache(maxsize=8)
def _read(items: Iterable[str]) -> AllowList:
    networks: list[tuple[Network, int | None]] = []
    names: set[tuple[str, int | None]] = set()
    for item in items:
        host, port = _split_port(item.strip())
        try:
            networks.append((ipaddress.ip_network(host.strip("[]"), strict=False), port))
        except ValueError:
            names.add((host.lower().rstrip("."), port))
    return AllowList(tuple(networks), frozenset(names))


def _split_port(item: str) -> tuple[str, int | None]:
    if item.count(":") > 1 and "]" not in item:  # an IPv6 network without a port
        return item, None
    host, colon, port = item.rpartition(":")
    return (host, int(port)) if colon and port.isdecimal() else (item, None)
