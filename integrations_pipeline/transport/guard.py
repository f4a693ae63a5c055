"""The SSRF guard: an address that a customer or a service names must be a public one.

Python's `is_global` is no filter by itself: it calls NAT64, 6to4 and some cloud-internal
addresses global. So the IPv4 address inside an IPv6 form is unwrapped and checked as well.
"""

import socket
from collections.abc import Iterator, Mapping
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from integrations_pipeline.errors import ConfigurationError
from integrations_pipeline.transport.deadline import Hurried
from integrations_pipeline.transport.sockets import Interruptible, OpenSockets

Address = IPv4Address | IPv6Address

BLOCKED = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's host, reachable from every guest
        "192.0.0.0/24",  # protocol assignments, a cloud's metadata service among them
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "::ffff:0:0:0/96",  # IPv4-translated
        "fec0::/10",
        "100::/64",
        "3fff::/20",
        "5f00::/16",
    )
)
NAT64 = IPv6Network("64:ff9b::/96")
UNICAST = IPv6Network("2000::/3")
"""All that was ever given out; what Python calls global beyond it may be somebody's own network."""
ISATAP, ISATAP_MASK = 0x5EFE, 0xFDFFFFFF
"""RFC 5214, 6.1: an interface id of 0000:5efe or 0200:5efe, then an IPv4 address."""


class BlockedAddressError(ConfigurationError):
    """The host leads into a private or reserved network."""

    action = (
        "Correct the address; an operator can allow private networks in the connector overrides."
    )


def is_public(address: Address) -> bool:
    """Whether the address, and any IPv4 address inside it, is on the public internet."""
    if isinstance(address, IPv6Address):
        if not (address in UNICAST or address in NAT64 or address.ipv4_mapped):
            return False
        if not all(map(is_public, _inside(address))):
            return False
    if any(address in network for network in BLOCKED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def _inside(address: IPv6Address) -> Iterator[IPv4Address]:
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if address in NAT64 or int(address) >> 32 & ISATAP_MASK == ISATAP:
        yield IPv4Address(int(address) & 0xFFFFFFFF)


def resolve(host: str, port: int) -> str:
    """The address to connect to; every address of the name must be public.

    Raises:
        BlockedAddressError: one of them is not, or the name is none.
        OSError: it is not found.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except ValueError as error:  # a label too long for IDNA, a null character
        raise BlockedAddressError(f"The host {host!r} can't be found.") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not all(is_public(ip_address(address)) for address in addresses):
        raise BlockedAddressError(f"The host {host!r} leads into a private or reserved network.")
    return addresses[0]


def check_host(host: str) -> None:
    """Refuse, when it is saved, a host that requests would be refused to.

    Raises:
        BlockedAddressError: it leads into a private network, or nowhere.
    """
    try:
        resolve(host, 443)
    except OSError as error:
        raise BlockedAddressError(f"The host {host!r} can't be found.") from error


class _Pinned:
    """Connects to the very address that was checked, whatever the name answers later."""

    host: str
    port: int
    _dns_host: str

    def _new_conn(self) -> Any:
        name = self._dns_host
        self._dns_host = resolve(name, self.port)
        try:
            return super()._new_conn()  # type: ignore[misc]
        finally:
            self._dns_host = name  # certificates and the Host header go by the name


def pool_classes(
    *, guard: bool, total_seconds: float | None, sockets: OpenSockets
) -> Mapping[str, Any]:
    """Connection pools by scheme: of checked addresses only, and of answers that end."""
    bases: tuple[type, ...] = (Interruptible, Hurried, *((_Pinned,) if guard else ()))
    more = {"total_seconds": total_seconds, "sockets": sockets}
    made: dict[str, Any] = {}
    for scheme, pool, connection in (
        ("http", HTTPConnectionPool, HTTPConnection),
        ("https", HTTPSConnectionPool, HTTPSConnection),
    ):
        kind = type("Connection", (*bases, connection), more)
        made[scheme] = type("Pool", (pool,), {"ConnectionCls": kind})
    return made
