"""Which addresses a user's endpoint may lead to.

Whoever may write a scaler chooses where we connect, from our place in the network: the loopback of
our pod, the metadata service of the cloud with the node's credentials, or a neighbour on the link
must not be within that reach. Private ranges are, since pods and services live there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_METADATA = "an address of a cloud's metadata service"

DENIED: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", "an unspecified address"),
        ("::/128", "an unspecified address"),
        ("127.0.0.0/8", "a loopback address"),
        ("::1/128", "a loopback address"),
        ("169.254.0.0/16", "a link-local address, as cloud metadata has"),
        ("fe80::/10", "a link-local address"),
        ("224.0.0.0/4", "a multicast address"),
        ("ff00::/8", "a multicast address"),
        ("255.255.255.255/32", "the broadcast address"),
        ("fd00:ec2::/32", _METADATA),  # AWS, which also hands out pods' credentials there
        ("fd20:ce::254/128", _METADATA),  # Google
        ("100.100.100.200/32", _METADATA),  # Alibaba
        ("192.0.0.192/32", _METADATA),  # Oracle
        ("fd00:42::42/128", _METADATA),  # Scaleway
        ("168.63.129.16/32", _METADATA),  # Azure
    )
)
"""Networks that no source may ask, and how to call them."""

_CARRIERS = tuple(
    IPv6Network(network)
    for network in (
        "::ffff:0:0/96",  # mapped
        "::ffff:0:0:0/96",  # translated
        "::/96",  # compatible
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",
    )
)
"""IPv6 addresses whose last 32 bits are an IPv4 address."""


@dataclass(frozen=True, slots=True)
class AddressGuard:
    """Says which addresses may be connected to.

    Attributes:
        allowed: denied ranges that the operator has opened.
    """

    allowed: tuple[Network, ...] = ()

    def refusal(self, address: str) -> str | None:
        """Say what the address is that must not be asked; None when it may be.

        What does not parse is refused: the system would still make an address of "127.1".
        """
        try:
            faces = tuple(_faces(ip_address(address)))
        except ValueError:
            return "no plain address"
        if any(face in network for face in faces for network in self.allowed):
            return None
        kinds = (kind for face in faces for network, kind in DENIED if face in network)
        return next(kinds, None)


def _faces(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 address that it carries if it is a way to write one."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    if any(address in network for network in _CARRIERS):
        yield IPv4Address(int(address) & 0xFFFFFFFF)
