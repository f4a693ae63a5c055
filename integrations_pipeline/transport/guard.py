"""The SSRF guard: an address that a customer or a service names must be a public one.

Python's `is_global` is no filter by itself: it calls NAT64, 6to4 and some cloud-internal
addresses global. So the IPv4 address inside an IPv6 form is unwrapped and checked as well.
"""

import socket
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
from urllib3.poolmanager import PoolManager

from integrations_pipeline.errors import ConfigurationError

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
COMPATIBLE = IPv6Network("::/96")


class BlockedAddressError(ConfigurationError):
    """The host leads into a private or reserved network."""

    action = (
        "Correct the address; an operator can allow private networks in the connector overrides."
    )


def is_public(address: Address) -> bool:
    """Whether the address, and any IPv4 address inside it, is on the public internet."""
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None and not is_public(inner):
            return False
    if any(address in network for network in BLOCKED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in NAT64 or address in COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def resolve(host: str, port: int) -> str:
    """The address to connect to; every address of the name must be public.

    Raises:
        BlockedAddressError: one of them is not.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not all(is_public(ip_address(address)) for address in addresses):
        raise BlockedAddressError(f"The host {host!r} leads into a private or reserved network.")
    return addresses[0]


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


class _PinnedHTTP(_Pinned, HTTPConnection):
    pass


class _PinnedHTTPS(_Pinned, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _PinnedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PinnedHTTPS


def pinned_pools(manager: PoolManager) -> PoolManager:
    """The pool manager, made to connect only to checked addresses."""
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
    return manager
