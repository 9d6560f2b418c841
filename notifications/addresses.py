"""Which addresses may be asked: none inside our own network, unless an operator says so."""

import asyncio
import ipaddress
import socket
from contextlib import suppress
from dataclasses import dataclass

import httpx2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
RESOLVE_SECONDS = 5.0
PORTS = {"http": 80, "https": 443}
MOST_URL = 2000
_TUNNELS = tuple(
    ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
"""Ways to write an IPv4 address as an IPv6 one: what is behind it is not ours to see."""


class AddressRefused(Exception):
    """This address must not be asked; the text says why."""


class NotResolved(Exception):
    """The name leads nowhere, now."""


@dataclass(frozen=True)
class Target:
    """Where a URL leads, looked up once: what was checked is what is connected to."""

    url: httpx2.URL
    addresses: tuple[str, ...]


def checked_url(text: str, *, private: bool) -> httpx2.URL:
    """The URL, where its form is acceptable. Raises AddressRefused. Names are looked up when something is sent."""
    url = _parsed(text)
    if url.scheme not in ({"http", "https"} if private else {"https"}):
        raise AddressRefused("The URL has to begin with https://.")
    if not url.host or url.userinfo or url.fragment:
        raise AddressRefused("The URL needs a host, and may have neither a name and password nor a fragment.")
    if not private:
        _check_literal(url.host)
    return url


def _parsed(text: str) -> httpx2.URL:
    if len(text) > MOST_URL or not text.isascii() or not text.isprintable() or " " in text:
        raise AddressRefused(f"A URL has at most {MOST_URL} printable ASCII characters and no blanks.")
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        raise AddressRefused("This is not a URL.") from None
    if url.port is not None and not 0 < url.port < 65536:
        raise AddressRefused("There is no such port.")
    return url


async def resolved(text: str, *, private: bool) -> Target:
    """Look the name up and check every address behind it. Raises AddressRefused and NotResolved."""
    url = checked_url(text, private=private)
    addresses = await _looked_up(url)
    for address in () if private else addresses:
        _check(ipaddress.ip_address(address.partition("%")[0]), url.host)
    return Target(url, addresses)


async def _looked_up(url: httpx2.URL) -> tuple[str, ...]:
    port, loop = url.port or PORTS[url.scheme], asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotResolved(f"{url.host} cannot be resolved") from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _check_literal(host: str) -> None:
    """A host that is written as an address is checked at once; so is this machine's own name."""
    if f".{host.rstrip('.').lower()}".endswith(".localhost"):
        raise AddressRefused(f"{host} is this machine itself.")
    with suppress(ValueError):
        _check(ipaddress.ip_address(host), host)


def _check(address: Address, host: str) -> None:
    if not is_public(address):
        raise AddressRefused(f"{host} leads to {address}, which is not a public address.")


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, however it is written."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if any(address in network for network in _TUNNELS):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
