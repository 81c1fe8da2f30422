"""Which addresses a source may ask, however they are written."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from budaiscaler.sources.addresses import AddressGuard


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        pytest.param("127.0.0.1", "a loopback address", id="loopback"),
        pytest.param("127.255.0.9", "a loopback address", id="all-of-127"),
        pytest.param("::1", "a loopback address", id="loopback-6"),
        pytest.param("0.0.0.0", "an unspecified address", id="unspecified"),
        pytest.param("0.1.2.3", "an unspecified address", id="this-network"),
        pytest.param("::", "an unspecified address", id="unspecified-6"),
        pytest.param("169.254.169.254", "cloud metadata", id="metadata"),
        pytest.param("169.254.0.1", "a link-local address", id="link-local"),
        pytest.param("fe80::1", "a link-local address", id="link-local-6"),
        pytest.param("fe80::1%eth0", "a link-local address", id="link-local-6-of-an-interface"),
        pytest.param("febf:ffff::1", "a link-local address", id="end-of-link-local-6"),
        pytest.param("224.0.0.1", "a multicast address", id="multicast"),
        pytest.param("239.255.255.250", "a multicast address", id="end-of-multicast"),
        pytest.param("ff02::1", "a multicast address", id="multicast-6"),
        pytest.param("255.255.255.255", "the broadcast address", id="broadcast"),
        pytest.param("fd00:ec2::254", "metadata service", id="aws-6"),
        pytest.param("fd00:ec2::23", "metadata service", id="aws-6-credentials-of-pods"),
        pytest.param("fd00:42::42", "metadata service", id="scaleway-6"),
        pytest.param("fd20:ce::254", "metadata service", id="google-6"),
        pytest.param("100.100.100.200", "metadata service", id="alibaba"),
        pytest.param("192.0.0.192", "metadata service", id="oracle"),
        pytest.param("168.63.129.16", "metadata service", id="azure"),
        pytest.param("::ffff:127.0.0.1", "a loopback address", id="mapped-loopback"),
        pytest.param("::ffff:a9fe:a9fe", "a link-local address", id="mapped-metadata"),
        pytest.param("::ffff:100.100.100.200", "metadata service", id="mapped-alibaba"),
        pytest.param("::ffff:0:127.0.0.1", "a loopback address", id="translated-loopback"),
        pytest.param("::127.0.0.1", "a loopback address", id="compatible-loopback"),
        pytest.param("64:ff9b::169.254.169.254", "a link-local address", id="nat64-metadata"),
        pytest.param("64:ff9b:1::7f00:1", "a loopback address", id="local-nat64-loopback"),
        pytest.param("2002:7f00:1::", "a loopback address", id="6to4-loopback"),
        pytest.param("127.1", "no plain address", id="short-form"),
        pytest.param("2130706433", "no plain address", id="one-number"),
        pytest.param("0x7f.0.0.1", "no plain address", id="hexadecimal"),
        pytest.param("0177.0.0.1", "no plain address", id="octal"),
        pytest.param("localhost", "no plain address", id="a-name"),
        pytest.param("", "no plain address", id="nothing"),
    ],
)
def test_denied(address: str, kind: str) -> None:
    """Places where only we can go are refused, and the refusal says what they are."""
    assert kind in (AddressGuard().refusal(address) or "allowed")


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "100.64.0.1",
        "100.100.100.201",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "240.0.0.1",  # pods live there, too
        "1.1.1.1",
        "fd00::1",
        "fd00:ec1::254",
        "fec0::1",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
    ],
)
def test_allowed(address: str) -> None:
    """Pods and services live in private ranges, and anybody may ask the public ones."""
    assert AddressGuard().refusal(address) is None


@pytest.mark.parametrize(
    ("ranges", "opened", "still_denied"),
    [
        pytest.param(["127.0.0.0/8"], "127.0.0.1", "::1", id="one-family"),
        pytest.param(["127.0.0.0/8"], "::ffff:127.9.9.9", "::ffff:169.254.1.1", id="mapped"),
        pytest.param(["127.0.0.5/32"], "127.0.0.5", "127.0.0.6", id="one-address"),
        pytest.param(["::1/128", "fe80::/10"], "fe80::1%2", "127.0.0.1", id="two-ranges"),
        pytest.param(["169.254.20.10/32"], "169.254.20.10", "169.254.169.254", id="local-dns"),
    ],
)
def test_opened(ranges: list[str], opened: str, still_denied: str) -> None:
    """What the operator opens is open, and nothing beside it."""
    guard = AddressGuard(tuple(ip_network(text) for text in ranges))

    assert guard.refusal(opened) is None
    assert guard.refusal(still_denied) is not None
