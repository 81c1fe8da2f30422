"""Certificates of our own: verified by any client, renewed in time, and of no use for more."""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from budaiscaler.runtime import tls
from budaiscaler.runtime.tls import KeyPair
from tests.conftest import NOON

NAMES = ("adapter.budaiscaler-system.svc", "adapter")


@pytest.fixture(scope="module")
def ca() -> KeyPair:
    return tls.make_ca("budaiscaler-adapter-ca", NOON)


@pytest.fixture(scope="module")
def leaf(ca: KeyPair) -> KeyPair:
    return tls.issue_leaf(ca, NAMES, NOON)


def load(pair: KeyPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pair.certificate)


@pytest.mark.parametrize("name", NAMES)
def test_verified_for_its_names(ca: KeyPair, leaf: KeyPair, name: str) -> None:
    """A strict verifier accepts the leaf for each of its names."""
    verifier = (
        PolicyBuilder()
        .store(Store([load(ca)]))
        .time(NOON)
        .build_server_verifier(x509.DNSName(name))
    )

    assert verifier.verify(load(leaf), [])[-1] == load(ca)


@pytest.mark.parametrize(
    ("name", "days"),
    [
        pytest.param("other.budaiscaler-system.svc", 0, id="another-name"),
        pytest.param(NAMES[0], 366, id="too-late"),
        pytest.param(NAMES[0], -1, id="too-early"),
    ],
)
def test_not_verified(ca: KeyPair, leaf: KeyPair, name: str, days: int) -> None:
    """Neither for another name, nor outside its life."""
    verifier = (
        PolicyBuilder()
        .store(Store([load(ca)]))
        .time(NOON + timedelta(days=days))
        .build_server_verifier(x509.DNSName(name))
    )

    with pytest.raises(VerificationError):
        verifier.verify(load(leaf), [])


def test_only_what_it_is_for(ca: KeyPair, leaf: KeyPair) -> None:
    """The CA signs leaves only, and the leaf identifies a server and signs nothing."""
    authority = load(ca).extensions.get_extension_for_class(x509.BasicConstraints)
    server = load(leaf).extensions.get_extension_for_class(x509.BasicConstraints)
    usage = load(leaf).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert (authority.critical, authority.value.ca, authority.value.path_length) == (True, True, 0)
    assert (server.critical, server.value.ca) == (True, False)
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_clocks_slightly_behind(leaf: KeyPair) -> None:
    """A client whose clock is a little behind accepts a certificate that was made just now."""
    assert load(leaf).not_valid_before_utc <= NOON - timedelta(minutes=5)


def test_due(leaf: KeyPair) -> None:
    """A leaf is due when two thirds of its life are over, and not before."""
    assert leaf.not_after == NOON + timedelta(days=365)
    assert not leaf.is_due(NOON + timedelta(days=243))
    assert leaf.is_due(NOON + timedelta(days=244))


def test_serial_numbers_differ(ca: KeyPair) -> None:
    """Two leaves of the same CA are told apart by their serial number, and have different keys."""
    first, second = (tls.issue_leaf(ca, NAMES, NOON) for _ in range(2))

    assert load(first).serial_number != load(second).serial_number
    assert first.key != second.key


def test_long_names(ca: KeyPair) -> None:
    """A service name longer than a common name may be is served all the same."""
    name = f"{'a' * 63}.{'b' * 63}.svc"

    made = load(tls.issue_leaf(ca, [name], NOON))

    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]


def test_openssl_takes_it(leaf: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Certificate and key belong together for the library that serves them."""
    file = tmp_path_factory.mktemp("tls") / "pair.pem"
    file.write_bytes(leaf.certificate + leaf.key)

    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)

    assert b"PRIVATE KEY" not in leaf.certificate


def test_foreign_ca_key(ca: KeyPair) -> None:
    """A CA key of another kind, which we never make, is refused by name."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    with pytest.raises(TypeError, match="make_ca"):
        tls.issue_leaf(KeyPair(ca.certificate, pem), NAMES, NOON)
